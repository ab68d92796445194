#include <thimble/report/training_tables.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <span>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/report/tables.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "training_rows.hpp"

namespace thimble {

std::vector<std::string> all_metrics(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::string> all;
  for (const PointOutcome& outcome : outcomes)
    for (const std::string& name : outcome.trained_metrics)
      if (!outcome.trained.empty() && std::ranges::find(all, name) == all.end())
        all.push_back(name);
  return all;
}

std::vector<std::string> all_datasets(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::string> all;
  for (const PointOutcome& outcome : outcomes)
    for (const TrainedRow& row : outcome.trained)
      if (!row.dataset.empty() && std::ranges::find(all, row.dataset) == all.end())
        all.push_back(row.dataset);
  return all;
}

namespace {

constexpr Form kForms[]{{"float", &TrainedRow::whole},
                        {"narrow", &TrainedRow::narrow},
                        {"pruned", &TrainedRow::pruned},
                        {"int8", &TrainedRow::int8}};

}  // namespace

std::vector<Form> forms_in(const std::vector<PointOutcome>& outcomes) {
  std::vector<Form> made;
  for (const Form& form : kForms) {
    bool is_there = false;
    for (const PointOutcome& outcome : outcomes)
      for (const TrainedRow& row : outcome.trained) {
        const FormOutcome& learned = row.*form.learned;
        is_there |= &learned == &row.last() || !learned.metrics.empty() || !learned.epochs.empty();
      }
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

std::vector<std::span<const TrainedRow>> of_one_network(const std::vector<TrainedRow>& trained) {
  std::vector<std::span<const TrainedRow>> all;
  for (std::size_t first = 0; first < trained.size();) {
    std::size_t end = first + 1;
    while (end < trained.size() && trained[end].network.text == trained[first].network.text &&
           trained[end].dataset == trained[first].dataset)
      ++end;
    all.emplace_back(&trained[first], end - first);
    first = end;
  }
  return all;
}

void for_each_training(
    const std::vector<PointOutcome>& outcomes,
    const std::function<void(const PointOutcome&, const TrainedRow&, std::size_t)>& visit) {
  for (const PointOutcome& outcome : outcomes)
    for (const TrainedRow& row : outcome.trained)
      visit(outcome, row, number_of(outcome, row.network.text));
}

namespace {

/// Costs of a network in the units of tables, and the limits on them: as they are titled, and of
/// one.
void add_cost_titles(std::vector<std::string>& titles, const std::vector<std::string>& limited) {
  for (const CostMetric& metric : cost_metrics()) titles.emplace_back(metric.column);
  for (const std::string& metric : limited)
    titles.push_back(std::string{find_cost_metric(metric)->column} + "_limit");
}

void add_costs(std::vector<std::string>& cells, const Evaluation& network,
               const std::vector<Limit>& limits, const std::vector<std::string>& limited) {
  for (const CostMetric& metric : cost_metrics())
    cells.push_back(mean_text({metric.of(network) / metric.unit}));
  for (const std::string& metric : limited)
    cells.push_back(mean_text({limit_of(limits, metric) / find_cost_metric(metric)->unit}));
}

/// Adds a cell where tables say what was trained on.
void add_dataset(std::vector<std::string>& cells, bool is_said, const std::string& name) {
  if (is_said) cells.push_back(name);
}

std::size_t rows_with_trainings(const std::vector<PointOutcome>& outcomes) {
  std::set<std::string> rows;
  for (const PointOutcome& outcome : outcomes)
    if (!outcome.trained.empty()) rows.insert(outcome.row);
  return rows.size();
}

/// What is known of them.
std::vector<double> values_of(const PointOutcome& outcome, std::span<const TrainedRow> rows,
                              const Form& form, const std::string& metric) {
  std::vector<double> values;
  for (const TrainedRow& row : rows)
    if (const double value = metric_of_row(outcome, row, form, metric); std::isfinite(value))
      values.push_back(value);
  return values;
}

}  // namespace

Table trained_table(const std::vector<PointOutcome>& outcomes) {
  Table table;
  const auto metrics = all_metrics(outcomes);
  const bool says_data = !all_datasets(outcomes).empty();
  table.header = {"network", "row", "arch"};
  add_dataset(table.header, says_data, "dataset");
  table.header.insert(table.header.end(), {"seed", "epochs"});
  const auto forms = forms_in(outcomes);
  for (const Form& form : forms)
    for (const std::string& metric : metrics)
      table.header.push_back(fmt::format("{}_{}", form.name, metric));
  for (const CostMetric& metric : cost_metrics()) table.header.emplace_back(metric.name);
  table.header.emplace_back("failure");
  for_each_training(
      outcomes, [&](const PointOutcome& outcome, const TrainedRow& row, std::size_t number) {
        std::vector<std::string> cells{std::to_string(number), outcome.row, row.network.text};
        add_dataset(cells, says_data, row.dataset);
        cells.push_back(std::to_string(row.seed));
        cells.push_back(std::to_string(row.epochs().size()));
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
  const bool says_data = !all_datasets(outcomes).empty();
  Table table{{"network"}, {}};
  add_dataset(table.header, says_data, "dataset");
  table.header.insert(table.header.end(), {"seed", "form", "epoch", "learning_rate", "train_loss",
                                           "train_metric", "validation_metric"});
  for_each_training(outcomes, [&](const PointOutcome&, const TrainedRow& row, std::size_t number) {
    for (const Form& form : kForms) {
      std::size_t next = 1;
      for (const EpochOutcome& epoch : (row.*form.learned).epochs) {
        std::vector<std::string> cells{std::to_string(number)};
        add_dataset(cells, says_data, row.dataset);
        cells.insert(cells.end(),
                     {std::to_string(row.seed), form.name, std::to_string(next++),
                      number_text(epoch.learning_rate), number_text(epoch.loss),
                      number_text(epoch.train_metric),
                      number_or_nothing(epoch.validation_metric.value_or(kNotANumber))});
        table.rows.push_back(std::move(cells));
      }
    }
  });
  return table;
}

Table training_summary(const std::vector<PointOutcome>& outcomes) {
  Table table;
  const auto metrics = all_metrics(outcomes);
  const bool says_data = !all_datasets(outcomes).empty();
  // Of one network in all rows nothing else tells which is which.
  const bool says_row = rows_with_trainings(outcomes) > 1;
  table.header = {"network"};
  if (says_row) table.header.emplace_back("row");
  table.header.emplace_back("arch");
  add_dataset(table.header, says_data, "dataset");
  table.header.emplace_back("trainings");
  const auto forms = forms_in(outcomes);
  for (const Form& form : forms)
    for (const std::string& metric : metrics)
      table.header.push_back(forms.size() == 1 ? metric : fmt::format("{} {}", form.name, metric));
  const auto limited = limited_metrics(outcomes);
  add_cost_titles(table.header, limited);
  for (const PointOutcome& outcome : outcomes) {
    for (const auto& rows : of_one_network(outcome.trained)) {
      const Evaluation& network = rows.front().network;
      std::vector<std::string> cells{std::to_string(number_of(outcome, network.text))};
      if (says_row) cells.push_back(outcome.row);
      cells.push_back(cut(network.text));
      add_dataset(cells, says_data, rows.front().dataset);
      const auto has_weights = [](const TrainedRow& row) { return !row.weights.empty(); };
      cells.push_back(std::to_string(std::ranges::count_if(rows, has_weights)));
      for (const Form& form : forms)
        for (const std::string& metric : metrics)
          cells.push_back(mean_text(values_of(outcome, rows, form, metric)));
      add_costs(cells, network, rows.front().limits, limited);
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

Table training_overview(const std::vector<PointOutcome>& outcomes) {
  const auto datasets = all_datasets(outcomes);
  if (datasets.size() < 2) return {};
  const Form form = forms_in(outcomes).back();
  const std::string metric = all_metrics(outcomes).front();
  Table table{{"network", "arch"}, {}};
  for (const std::string& dataset : datasets)
    table.header.push_back(fmt::format("{} {} on {}", form.name, metric, dataset));
  const auto limited = limited_metrics(outcomes);
  add_cost_titles(table.header, limited);
  std::string last;
  for (const PointOutcome& outcome : outcomes)
    for (const auto& rows : of_one_network(outcome.trained)) {
      const Evaluation& network =
          *std::ranges::find(outcome.evaluated, rows.front().network.text, &Evaluation::text);
      const std::string number = std::to_string(number_of(outcome, network.text));
      if (number != last) {
        table.rows.push_back({number, cut(network.text)});
        table.rows.back().resize(2 + datasets.size());
        add_costs(table.rows.back(), network, outcome.limits, limited);
        last = number;
      }
      const auto place = std::ranges::find(datasets, rows.front().dataset) - datasets.begin();
      table.rows.back()[2 + static_cast<std::size_t>(place)] =
          mean_text(values_of(outcome, rows, form, metric));
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

}  // namespace thimble
