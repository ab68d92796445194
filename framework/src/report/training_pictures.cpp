#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/report/training_tables.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "training_rows.hpp"

namespace thimble {
namespace {

/// Lines of one picture: the epochs of each training that has this number.
std::string curves_picture(const std::vector<PointOutcome>& outcomes, const std::string& name,
                           const std::string& label,
                           const std::function<double(const EpochOutcome&)>& value) {
  std::string blocks, lines;
  std::size_t count = 0, colour = 0;
  std::string last;
  for_each_training(outcomes, [&](const PointOutcome&, const TrainedRow& row, std::size_t number) {
    const auto epochs = row.epochs();
    std::vector<std::vector<double>> points;
    for (std::size_t i = 0; i < epochs.size(); ++i)
      if (const double y = value(epochs[i]); std::isfinite(y))
        points.push_back({static_cast<double>(i + 1), y});
    if (points.empty()) return;
    const std::string network =
        fmt::format("network {}{}{}", number, row.dataset.empty() ? "" : ", ", row.dataset);
    const bool is_new = network != last;
    if (is_new && !last.empty()) ++colour;
    last = network;
    blocks += block(fmt::format("training{}", count), points);
    lines +=
        fmt::format("{}$training{} using 1:2 with lines lw 2 lc rgb '{}' {}",
                    count == 0 ? "" : ", \\\n  ", count, kColours[colour % std::size(kColours)],
                    is_new ? fmt::format("title '{}' noenhanced", network) : "notitle");
    ++count;
  });
  if (count == 0) return "";
  return head(name, 1200, 750) + blocks + title(label, "a line a training, a colour a network") +
         "set xlabel 'epoch'\nset key outside right top Left reverse\n"
         "set grid ytics lt 1 lw 0.4 lc rgb '#bbbbbb'\nplot " +
         lines + "\n";
}

/// Means and deviations of one form of one network on one set of data, by MACs.
using FormLine = std::map<double, std::vector<double>>;

std::vector<std::vector<double>> points_of(const FormLine& line) {
  std::vector<std::vector<double>> points;
  for (const auto& [macs, metrics] : line) {
    const auto [mean, deviation] = mean_and_deviation(metrics);
    points.push_back({macs, mean, deviation});
  }
  return points;
}

/// What pruning and integers take from a network, and a narrow one beside them, against what is
/// left of its MACs: a colour a form.
std::string forms_picture(const std::vector<PointOutcome>& outcomes, const std::string& name,
                          const std::string& metric) {
  const auto forms = forms_in(outcomes);
  std::set<double> sizes;
  std::string blocks, lines;
  std::size_t count = 0;
  for (std::size_t f = 0; f < forms.size(); ++f) {
    std::map<std::pair<std::string, std::string>, FormLine> of_networks;
    for_each_training(outcomes,
                      [&](const PointOutcome& outcome, const TrainedRow& row, std::size_t) {
                        const double y = metric_of_row(outcome, row, forms[f], metric);
                        const double macs_m = static_cast<double>(row.network.macs) / 1e6;
                        if (std::isfinite(y))
                          of_networks[{row.network.text, row.dataset}][macs_m].push_back(y);
                      });
    bool is_titled = false;
    for (const auto& [network, line] : of_networks) {
      for (const auto& [macs_m, metrics] : line) sizes.insert(macs_m);
      blocks += block(fmt::format("form{}", count), points_of(line));
      lines += fmt::format("{}$form{} using 1:2:3 with yerrorlines pt {} ps 1.6 lc rgb '{}' {}",
                           count == 0 ? "" : ", \\\n  ", count, 5 + 2 * (f % 5),
                           kColours[f % std::size(kColours)],
                           is_titled ? "notitle" : fmt::format("title '{}'", forms[f].name));
      is_titled = true;
      ++count;
    }
  }
  if (forms.size() < 2 || sizes.size() < 2) return "";
  return head(name, 1000, 700) + blocks +
         title("What pruning and int8 cost",
               "mean and deviation over seeds; float: nothing pruned") +
         fmt::format("set xlabel 'macs_m, of what is left' noenhanced\nset ylabel {} noenhanced\n",
                     gnuplot_text(metric)) +
         "set offsets graph 0.05, graph 0.05, graph 0.05, graph 0.05\n"
         "set grid lt 1 lw 0.4 lc rgb '#bbbbbb'\nset key below\nset bmargin 6\nplot " +
         lines + "\n";
}

/// What the sweep sets but the seed: limits, or all else.
std::vector<std::string> setting_of(const PointOutcome& outcome, bool of_limits) {
  std::vector<std::string> made;
  for (const Assignment& set : outcome.assignments)
    if (set.path != "seed" && set.path.starts_with("limits") == of_limits)
      made.push_back(to_string(set));
  return made;
}

bool sets_limit(const PointOutcome& outcome, std::string_view metric) {
  return std::ranges::find(outcome.assignments, fmt::format("limits.{}", metric),
                           &Assignment::path) != outcome.assignments.end();
}

bool has_limit(const PointOutcome& outcome, std::string_view metric) {
  return std::ranges::find(outcome.limits, metric, &Limit::metric) != outcome.limits.end();
}

/// Costs and trained metrics of trainings that are one mark.
struct TradeOff {
  std::vector<double> costs, metrics;
};

/// What different limits lead to, everything else alike.
struct TradeOffLine {
  std::vector<std::string> setting;
  std::set<std::string> rows;             ///< of the sweep
  std::map<std::string, TradeOff> marks;  ///< by limits, or by network where a point has several

  std::string name() const {
    if (rows.size() == 1) return *rows.begin();
    return setting.empty() ? "result" : join(setting);
  }

  std::vector<std::vector<double>> points() const {
    std::vector<std::vector<double>> made;
    for (const auto& [what, mark] : marks) {
      if (mark.costs.empty()) continue;
      const auto [mean, deviation] = mean_and_deviation(mark.metrics);
      made.push_back({mean_and_deviation(mark.costs).mean, mean, deviation});
    }
    std::ranges::sort(made);
    return made;
  }
};

/// The accuracy of what is deployed against a cost that is limited.
class TradeOffPicture {
 public:
  TradeOffPicture(const std::vector<PointOutcome>& outcomes, const CostMetric& cost)
      : cost_{cost}, form_{forms_in(outcomes).back()}, metric_{all_metrics(outcomes).front()} {
    // A sweep over one limit says nothing of another that stays what it is.
    const bool is_swept = std::ranges::any_of(
        outcomes, [&](const PointOutcome& outcome) { return sets_limit(outcome, cost.name); });
    for (const PointOutcome& outcome : outcomes)
      if (is_swept ? sets_limit(outcome, cost.name) : has_limit(outcome, cost.name)) add(outcome);
  }

  std::string script(const std::string& name) const {
    std::string blocks, plots;
    std::size_t marks = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const auto points = lines_[i].points();
      if (points.empty()) continue;
      marks += points.size();
      blocks += block(fmt::format("line{}", i), points);
      plots +=
          fmt::format("{}$line{} using 1:2:3 with yerrorlines pt {} ps 1.6 lc rgb '{}' title {}",
                      plots.empty() ? "plot " : ", \\\n  ", i, 5 + 2 * (i % 5),
                      kColours[i % std::size(kColours)], gnuplot_text(cut(lines_[i].name())));
    }
    if (marks < 2) return "";
    return head(name, 1000, 800) + blocks +
           title(fmt::format("Trained networks: {} {}", form_.name, metric_),
                 "mean and deviation over seeds") +
           fmt::format("set xlabel {} noenhanced\nset ylabel {} noenhanced\n",
                       gnuplot_text(std::string{cost_.column}),
                       gnuplot_text(fmt::format("{} {}", form_.name, metric_))) +
           "set offsets graph 0.05, graph 0.05, graph 0.05, graph 0.05\n"
           "set grid lt 1 lw 0.4 lc rgb '#bbbbbb'\nset key below\nset bmargin 9\n" +
           plots + "\n";
  }

 private:
  void add(const PointOutcome& outcome) {
    const auto networks = of_one_network(outcome.trained);
    for (const auto& rows : networks) {
      const std::string& dataset = rows.front().dataset;
      const bool is_alone = std::ranges::count_if(networks, [&](const auto& other) {
                              return other.front().dataset == dataset;
                            }) == 1;
      TradeOffLine& line = line_of(outcome, dataset);
      TradeOff& mark =
          line.marks[is_alone ? join(setting_of(outcome, true))
                              : std::to_string(number_of(outcome, rows.front().network.text))];
      for (const TrainedRow& row : rows) {
        const double x = cost_.of(row.network) / cost_.unit;
        const double y = metric_of_row(outcome, row, form_, metric_);
        if (!std::isfinite(x) || !std::isfinite(y)) continue;
        mark.costs.push_back(x);
        mark.metrics.push_back(y);
      }
    }
  }

  TradeOffLine& line_of(const PointOutcome& outcome, const std::string& dataset) {
    auto setting = setting_of(outcome, false);
    if (!dataset.empty()) setting.push_back(dataset);
    auto found = std::ranges::find(lines_, setting, &TradeOffLine::setting);
    if (found == lines_.end())
      found =
          lines_.insert(lines_.end(), TradeOffLine{.setting = setting, .rows = {}, .marks = {}});
    found->rows.insert(dataset.empty() ? outcome.row : outcome.row + ", " + dataset);
    return *found;
  }

  const CostMetric& cost_;
  Form form_;
  std::string metric_;
  std::vector<TradeOffLine> lines_;
};

}  // namespace

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
  if (std::string script = forms_picture(outcomes, "trained_forms", metrics[0]); !script.empty())
    pictures.push_back({"trained_forms", std::move(script)});
  for (const CostMetric& cost : cost_metrics()) {
    const std::string name = fmt::format("trained_{}", cost.name);
    std::string script = TradeOffPicture{outcomes, cost}.script(name);
    if (!script.empty()) pictures.push_back({name, std::move(script)});
  }
  return pictures;
}

}  // namespace thimble
