#include <thimble/report/training_tables.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/tables.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

/// Of all points, each once: those of a sweep may have different tasks.
std::vector<std::string> all_metrics(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::string> all;
  for (const PointOutcome& outcome : outcomes)
    for (const std::string& name : outcome.trained_metrics)
      if (!outcome.trained.empty() && std::ranges::find(all, name) == all.end())
        all.push_back(name);
  return all;
}

/// A form of a trained network that was tested.
struct Form {
  const char* name;
  FormOutcome TrainedRow::*learned;
};
constexpr Form kForms[]{{"float", &TrainedRow::whole},
                        {"narrow", &TrainedRow::narrow},
                        {"pruned", &TrainedRow::pruned},
                        {"int8", &TrainedRow::int8}};

/// Those that any training has; the float one where there is none.
std::vector<Form> forms_in(const std::vector<PointOutcome>& outcomes) {
  std::vector<Form> made;
  for (const Form& form : kForms) {
    bool is_there = false;
    for (const PointOutcome& outcome : outcomes)
      for (const TrainedRow& row : outcome.trained)
        is_there |= !(row.*form.learned).metrics.empty();
    if (is_there) made.push_back(form);
  }
  if (made.empty()) made.push_back(kForms[0]);
  return made;
}

double metric_of_row(const PointOutcome& outcome, const TrainedRow& row, const Form& form,
                     const std::string& name) {
  const auto found = std::ranges::find(outcome.trained_metrics, name);
  const auto place = static_cast<std::size_t>(found - outcome.trained_metrics.begin());
  const std::vector<double>& metrics = (row.*form.learned).metrics;
  return place < metrics.size() ? metrics[place] : kNotANumber;
}

/// Calls visit(outcome, row, number) for every training.
void for_each_training(
    const std::vector<PointOutcome>& outcomes,
    const std::function<void(const PointOutcome&, const TrainedRow&, std::size_t)>& visit) {
  for (const PointOutcome& outcome : outcomes)
    for (const TrainedRow& row : outcome.trained)
      visit(outcome, row, number_of(outcome, row.network.text));
}

/// Lines of one picture: the epochs of each training that has this number.
std::string curves_picture(const std::vector<PointOutcome>& outcomes, const std::string& name,
                           const std::string& label,
                           const std::function<double(const EpochOutcome&)>& value) {
  std::string blocks, lines;
  std::size_t count = 0, colour = 0, last = 0;
  for_each_training(outcomes, [&](const PointOutcome&, const TrainedRow& row, std::size_t number) {
    const auto epochs = row.epochs();
    std::vector<std::vector<double>> points;
    for (std::size_t i = 0; i < epochs.size(); ++i)
      if (const double y = value(epochs[i]); std::isfinite(y))
        points.push_back({static_cast<double>(i + 1), y});
    if (points.empty()) return;
    const bool is_new = number != last;
    if (is_new && last != 0) ++colour;
    last = number;
    blocks += block(fmt::format("training{}", count), points);
    lines +=
        fmt::format("{}$training{} using 1:2 with lines lw 2 lc rgb '{}' {}",
                    count == 0 ? "" : ", \\\n  ", count, kColours[colour % std::size(kColours)],
                    is_new ? fmt::format("title 'network {}'", number) : "notitle");
    ++count;
  });
  if (count == 0) return "";
  return head(name, 1200, 750) + blocks + title(label, "a line a training, a colour a network") +
         "set xlabel 'epoch'\nset key outside right top Left reverse\n"
         "set grid ytics lt 1 lw 0.4 lc rgb '#bbbbbb'\nplot " +
         lines + "\n";
}

}  // namespace

Table trained_table(const std::vector<PointOutcome>& outcomes) {
  Table table;
  const auto metrics = all_metrics(outcomes);
  table.header = {"network", "row", "arch", "seed", "epochs"};
  const auto forms = forms_in(outcomes);
  for (const Form& form : forms)
    for (const std::string& metric : metrics)
      table.header.push_back(fmt::format("{}_{}", form.name, metric));
  for (const CostMetric& metric : cost_metrics()) table.header.emplace_back(metric.name);
  table.header.emplace_back("failure");
  for_each_training(outcomes, [&](const PointOutcome& outcome, const TrainedRow& row,
                                  std::size_t number) {
    std::vector<std::string> cells{std::to_string(number), outcome.row, row.network.text,
                                   std::to_string(row.seed), std::to_string(row.epochs().size())};
    for (const Form& form : forms)
      for (const std::string& metric : metrics)
        cells.push_back(number_or_nothing(metric_of_row(outcome, row, form, metric)));
    for (const CostMetric& metric : cost_metrics())
      cells.push_back(number_or_nothing(cost_metric(row.network, metric.name)));
    cells.push_back(row.failure);
    table.rows.push_back(std::move(cells));
  });
  return table;
}

Table history_table(const std::vector<PointOutcome>& outcomes) {
  Table table{{"network", "seed", "form", "epoch", "learning_rate", "train_loss", "train_metric",
               "validation_metric"},
              {}};
  for_each_training(outcomes, [&](const PointOutcome&, const TrainedRow& row, std::size_t number) {
    for (const Form& form : kForms) {
      std::size_t next = 1;
      for (const EpochOutcome& epoch : (row.*form.learned).epochs)
        table.rows.push_back({std::to_string(number), std::to_string(row.seed), form.name,
                              std::to_string(next++), number_text(epoch.learning_rate),
                              number_text(epoch.loss), number_text(epoch.train_metric),
                              number_or_nothing(epoch.validation_metric.value_or(kNotANumber))});
    }
  });
  return table;
}

Table training_summary(const std::vector<PointOutcome>& outcomes) {
  Table table;
  const auto metrics = all_metrics(outcomes);
  table.header = {"network", "arch", "trainings"};
  const auto forms = forms_in(outcomes);
  for (const Form& form : forms)
    for (const std::string& metric : metrics)
      table.header.push_back(forms.size() == 1 ? metric : fmt::format("{} {}", form.name, metric));
  for (const CostMetric& metric : cost_metrics()) table.header.emplace_back(metric.column);
  for (const PointOutcome& outcome : outcomes) {
    for (std::size_t i = 0; i < outcome.trained.size();) {
      const Evaluation& network = outcome.trained[i].network;
      std::vector<std::vector<double>> values(forms.size() * metrics.size());
      std::size_t count = 0;
      for (; i < outcome.trained.size() && outcome.trained[i].network.text == network.text; ++i) {
        if (outcome.trained[i].weights.empty()) continue;
        ++count;
        auto into = values.begin();
        for (const Form& form : forms)
          for (const std::string& metric : metrics) {
            const double value = metric_of_row(outcome, outcome.trained[i], form, metric);
            if (std::isfinite(value)) into->push_back(value);
            ++into;
          }
      }
      table.rows.push_back({std::to_string(number_of(outcome, network.text)), cut(network.text),
                            std::to_string(count)});
      for (const auto& some : values) table.rows.back().push_back(mean_text(some));
      for (const CostMetric& metric : cost_metrics())
        table.rows.back().push_back(mean_text({cost_metric(network, metric.name) / metric.unit}));
    }
  }
  return table;
}

EventFile training_events(const TrainedRow& row, const std::string& metric) {
  EventFile file;
  const auto epochs = row.epochs();
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    const EpochOutcome& epoch = epochs[i];
    std::map<std::string, double> values{{"learning_rate", epoch.learning_rate},
                                         {"train/loss", epoch.loss},
                                         {"train/" + metric, epoch.train_metric}};
    if (epoch.validation_metric) values["validation/" + metric] = *epoch.validation_metric;
    file.add(static_cast<std::int64_t>(i + 1), values);
  }
  return file;
}

std::vector<Picture> training_pictures(const std::vector<PointOutcome>& outcomes) {
  const auto metrics = all_metrics(outcomes);
  if (metrics.empty()) return {};
  std::vector<Picture> pictures;
  const auto add = [&](const std::string& name, const std::string& label, auto value) {
    std::string script = curves_picture(outcomes, name, label, value);
    if (!script.empty()) pictures.push_back({name, std::move(script)});
  };
  add("training_loss", "Loss of what is learned from",
      [](const EpochOutcome& epoch) { return epoch.loss; });
  add("training_" + metrics[0], metrics[0] + " of what is learned from",
      [](const EpochOutcome& epoch) { return epoch.train_metric; });
  add("validation_" + metrics[0], metrics[0] + " of the validation part",
      [](const EpochOutcome& epoch) { return epoch.validation_metric.value_or(kNotANumber); });
  return pictures;
}

}  // namespace thimble
