#include <thimble/report/analysis.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>

#include <fmt/format.h>

#include <thimble/core/text.hpp>

namespace thimble {
namespace {

using Column = Sample::Column;
using Places = std::vector<std::size_t>;

/// A part of a sample; within each of its groups cells are compared with each other.
struct Part {
  std::string name;
  std::vector<Places> groups;
  std::vector<std::int64_t> classes;
};

/// What nobody scored, because it is beyond a limit, says nothing about a metric.
bool was_looked_at(const Evaluation& evaluation) {
  return !evaluation.is_valid() || evaluation.is_feasible() || !evaluation.proxies.empty();
}

bool is_left_out(const Column& column, std::size_t cell) {
  return cell < column.left_out.size() && column.left_out[cell];
}

/// Nor does what a job's memory does not hold: of that proxy, and of what is made of all proxies.
bool is_left_out(const Evaluation& evaluation, const std::string& metric, const MetricNames& own) {
  const auto place = std::ranges::find(own.proxies, metric) - own.proxies.begin();
  if (place < std::ssize(evaluation.proxies))
    return evaluation.proxies[static_cast<std::size_t>(place)].is_left_out;
  return std::ranges::find(own.aggregates, metric) != own.aggregates.end() &&
         std::ranges::any_of(evaluation.proxies, &ProxyValue::is_left_out);
}

/// NaN where one is unknown.
std::vector<double> accuracies_of(const std::string& architecture, const Benchmark* benchmark) {
  std::vector<double> all;
  for (std::size_t i = 0; benchmark != nullptr && i < benchmark->columns().size(); ++i)
    all.push_back(benchmark->accuracy(architecture, i).value_or(kNotANumber));
  return all;
}

bool are_all_unknown(const std::vector<double>& accuracies) {
  return !accuracies.empty() &&
         std::ranges::all_of(accuracies, [](double value) { return std::isnan(value); });
}

Part everything(const Sample& sample) {
  Part part{"all", {Places(sample.size())}, {}};
  for (std::size_t i = 0; i < sample.size(); ++i) part.groups[0][i] = i;
  return part;
}

Part equal_macs(const Sample& sample, std::int64_t least) {
  std::map<std::int64_t, Places> classes;
  for (std::size_t i = 0; i < sample.size(); ++i) classes[sample.macs[i]].push_back(i);
  Part part{"equal_macs", {}, {}};
  for (auto& [macs, places] : classes) {
    if (std::ssize(places) < least) continue;
    part.classes.push_back(macs);
    part.groups.push_back(std::move(places));
  }
  return part;
}

std::vector<double> at(const std::vector<double>& values, const Places& places) {
  std::vector<double> some;
  for (const std::size_t place : places) some.push_back(values[place]);
  return some;
}

/// The tenth of the cells that is most accurate, and what is as accurate as its last.
Part top_decile(const Column& accuracy) {
  const Places known = looked_at(accuracy);
  auto sorted = at(accuracy.values, known);
  std::ranges::sort(sorted, std::greater{});
  const double least = sorted.empty() ? 0 : sorted[(sorted.size() - 1) / 10];
  Part part{"top_decile", {{}}, {}};
  for (const std::size_t cell : known)
    if (accuracy.values[cell] >= least) part.groups[0].push_back(cell);
  return part;
}

/// No decile is the top one without an accuracy.
std::vector<Part> parts_of(const Sample& sample, const Column* accuracy, std::int64_t least) {
  std::vector<Part> parts{everything(sample), equal_macs(sample, least)};
  if (accuracy != nullptr) parts.push_back(top_decile(*accuracy));
  return parts;
}

Agreement agree(const Part& part, const Column& a, const Column& b, const Bootstrap& bootstrap) {
  Agreement agreement{a.name, b.name, part.name, 0, 0, part.classes, {}};
  const auto a_values = with_worst(a), b_values = with_worst(b);
  std::vector<RankPairs> groups;
  for (Places places : part.groups) {
    std::erase_if(places,
                  [&](std::size_t cell) { return is_left_out(a, cell) || is_left_out(b, cell); });
    if (places.empty()) continue;
    groups.emplace_back(at(a_values, places), at(b_values, places));
    agreement.cells += places.size();
    agreement.invalid += static_cast<std::size_t>(std::ranges::count_if(
        places, [&](std::size_t i) { return std::isnan(a.values[i]) || std::isnan(b.values[i]); }));
  }
  agreement.correlation = correlate(groups, bootstrap);
  return agreement;
}

/// The metrics of a part beside MACs, each over the cells that it says something of.
void compare_with_macs(const Part& part, const Sample& sample, const Column& accuracy,
                       const Bootstrap& bootstrap, std::span<Agreement> agreements) {
  const auto macs = std::ranges::find(sample.metrics, "macs", &Column::name);
  if (macs == sample.metrics.end()) return;
  const Agreement& of_macs = agreements[static_cast<std::size_t>(macs - sample.metrics.begin())];
  for (std::size_t i = 0; i < agreements.size(); ++i) {
    const Column& metric = sample.metrics[i];
    if (&metric == &*macs) continue;
    const bool has_all = agreements[i].cells == of_macs.cells;
    Column same = *macs;
    same.left_out = metric.left_out;
    const Correlation control =
        has_all ? of_macs.correlation : agree(part, same, accuracy, bootstrap).correlation;
    agreements[i].over_macs =
        tau_difference(agreements[i].correlation, metric.direction == Direction::minimize ? -1 : 1,
                       control, bootstrap.confidence);
  }
}

std::vector<double> goodness_of(const Column& column) {
  std::vector<double> all;
  for (const double value : column.values) all.push_back(goodness(value, column.direction));
  return all;
}

std::string shown(double value) { return std::isfinite(value) ? number_text(value) : ""; }

/// The cells that every table of points begins with.
std::vector<std::string> point_cells(std::size_t point, const PointOutcome& outcome) {
  return {std::to_string(point + 1), outcome.row, std::to_string(outcome.seed)};
}

/// A table with rows(point) for each point.
template <class Rows>
Table table_of(const std::vector<PointOutcome>& outcomes, const std::vector<std::string>& header,
               Rows rows) {
  Table table;
  table.header = {"point", "row", "seed"};
  table.header.insert(table.header.end(), header.begin(), header.end());
  for (std::size_t point = 0; point < outcomes.size(); ++point) {
    for (const std::vector<std::string>& cells : rows(point)) {
      auto row = point_cells(point, outcomes[point]);
      row.insert(row.end(), cells.begin(), cells.end());
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

std::vector<std::string> cells_of(const Estimate& estimate) {
  return {shown(estimate.value), shown(estimate.interval.low), shown(estimate.interval.high)};
}

std::vector<std::string> analysis_cells(const Agreement& agreement) {
  std::vector<std::string> classes;
  for (const std::int64_t macs : agreement.classes) classes.push_back(std::to_string(macs));
  std::vector<std::string> cells{agreement.metric, agreement.against, agreement.subset,
                                 std::to_string(agreement.cells),
                                 std::to_string(agreement.invalid)};
  for (const Estimate& estimate :
       {agreement.correlation.tau, agreement.correlation.rho, agreement.over_macs})
    for (const std::string& cell : cells_of(estimate)) cells.push_back(cell);
  cells.push_back(agreement.classes.empty() ? "" : std::to_string(classes.size()));
  cells.push_back(join(classes, " "));
  return cells;
}

}  // namespace

Sample sample_of(const PointOutcome& outcome, const Benchmark* benchmark) {
  Sample sample;
  for (const auto& [metric, direction] : outcome.predictors)
    sample.metrics.push_back({metric, direction, {}});
  const std::vector<std::string> none;
  for (const std::string& column : benchmark != nullptr ? benchmark->columns() : none)
    sample.accuracies.push_back({column, Direction::maximize, {}});
  for (const Evaluation& evaluation : outcome.evaluated) {
    const auto accuracies = accuracies_of(evaluation.text, benchmark);
    if (are_all_unknown(accuracies) || !was_looked_at(evaluation)) continue;
    sample.macs.push_back(evaluation.macs);
    for (Column& metric : sample.metrics) {
      metric.values.push_back(metric_of(evaluation, metric.name, outcome.metrics));
      metric.left_out.push_back(is_left_out(evaluation, metric.name, outcome.metrics));
    }
    for (std::size_t i = 0; i < accuracies.size(); ++i) {
      sample.accuracies[i].values.push_back(accuracies[i]);
      sample.accuracies[i].left_out.push_back(std::isnan(accuracies[i]));
    }
  }
  return sample;
}

std::vector<std::size_t> looked_at(const Sample::Column& column) {
  std::vector<std::size_t> cells;
  for (std::size_t cell = 0; cell < column.values.size(); ++cell)
    if (!is_left_out(column, cell)) cells.push_back(cell);
  return cells;
}

std::vector<std::size_t> looked_at(const Sample::Column& a, const Sample::Column& b) {
  auto cells = looked_at(a);
  std::erase_if(cells, [&](std::size_t cell) { return is_left_out(b, cell); });
  return cells;
}

std::vector<double> with_worst(const Sample::Column& column) {
  auto values = column.values;
  const double infinity = std::numeric_limits<double>::infinity();
  for (double& value : values)
    if (std::isnan(value)) value = column.direction == Direction::minimize ? infinity : -infinity;
  return values;
}

Analysis analyse(const Sample& sample, const AnalysisSettings& settings, std::uint64_t seed) {
  Analysis analysis;
  if (sample.size() < 2) return analysis;
  const Bootstrap bootstrap{settings.resamples, settings.confidence, seed};
  for (const Column& accuracy : sample.accuracies) {
    for (const Part& part : parts_of(sample, &accuracy, settings.class_size)) {
      const std::size_t first = analysis.accuracies.size();
      for (const Column& metric : sample.metrics)
        analysis.accuracies.push_back(agree(part, metric, accuracy, bootstrap));
      compare_with_macs(part, sample, accuracy, bootstrap,
                        std::span{analysis.accuracies}.subspan(first));
    }
    for (const Column& metric : sample.metrics) {
      const Places cells = looked_at(metric, accuracy);
      for (const std::int64_t k : settings.top)
        if (k <= std::ssize(cells))
          analysis.regrets.push_back(
              {metric.name, accuracy.name, k,
               top_k(at(goodness_of(metric), cells), at(accuracy.values, cells),
                     static_cast<std::size_t>(k))});
    }
  }
  std::vector<Column> columns = sample.metrics;
  columns.insert(columns.end(), sample.accuracies.begin(), sample.accuracies.end());
  const Column* const first = sample.accuracies.empty() ? nullptr : sample.accuracies.data();
  for (const Part& part : parts_of(sample, first, settings.class_size))
    for (std::size_t i = 0; i < columns.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        analysis.pairs.push_back(agree(part, columns[i], columns[j], {}));
  return analysis;
}

Table analysis_table(const std::vector<PointOutcome>& outcomes,
                     const std::vector<Analysis>& analyses) {
  return table_of(outcomes,
                  {"metric", "against", "subset", "n", "invalid", "tau", "tau_low", "tau_high",
                   "rho", "rho_low", "rho_high", "tau_over_macs", "tau_over_macs_low",
                   "tau_over_macs_high", "classes", "macs_of_classes"},
                  [&](std::size_t point) {
                    std::vector<std::vector<std::string>> rows;
                    for (const Agreement& agreement : analyses[point].accuracies)
                      rows.push_back(analysis_cells(agreement));
                    return rows;
                  });
}

Table agreement_table(const std::vector<PointOutcome>& outcomes,
                      const std::vector<Analysis>& analyses) {
  return table_of(
      outcomes, {"metric", "against", "subset", "n", "invalid", "tau", "rho"},
      [&](std::size_t point) {
        std::vector<std::vector<std::string>> rows;
        for (const Agreement& agreement : analyses[point].pairs)
          rows.push_back({agreement.metric, agreement.against, agreement.subset,
                          std::to_string(agreement.cells), std::to_string(agreement.invalid),
                          shown(agreement.correlation.tau.value),
                          shown(agreement.correlation.rho.value)});
        return rows;
      });
}

Table regret_table(const std::vector<PointOutcome>& outcomes,
                   const std::vector<Analysis>& analyses) {
  return table_of(
      outcomes, {"metric", "against", "k", "regret", "mean_accuracy"}, [&](std::size_t point) {
        std::vector<std::vector<std::string>> rows;
        for (const auto& [metric, against, k, top] : analyses[point].regrets)
          rows.push_back({metric, against, std::to_string(k), shown(top.regret), shown(top.mean)});
        return rows;
      });
}

Table timing_table(const std::vector<PointOutcome>& outcomes) {
  return table_of(outcomes, {"metric", "seconds_per_candidate"}, [&](std::size_t point) {
    std::vector<std::vector<std::string>> rows;
    for (const std::string& proxy : outcomes[point].metrics.proxies)
      if (const auto found = outcomes[point].quantities.find("seconds." + proxy);
          found != outcomes[point].quantities.end())
        rows.push_back({proxy, shown(found->second)});
    return rows;
  });
}

}  // namespace thimble
