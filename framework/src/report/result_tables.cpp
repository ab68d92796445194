#include <thimble/report/result_tables.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/report/documents.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

/// Costs that hardware says, whose errors stand beside them.
std::vector<const CostMetric*> known_with_error() {
  std::vector<const CostMetric*> all;
  for (const CostMetric& metric : cost_metrics())
    if (metric.needs_hardware()) all.push_back(&metric);
  return all;
}

void add_error_columns(std::vector<std::string>& header) {
  for (const CostMetric* const metric : known_with_error())
    for (const char* const what : kErrorColumns) header.push_back(std::string{metric->name} + what);
}

bool has_costs(const std::vector<PointOutcome>& outcomes) {
  return std::ranges::any_of(
      outcomes, [](const PointOutcome& outcome) { return outcome.target.has_value(); });
}

/// The number beside it tells which one it is.
std::string cut_text(const std::string& arch) {
  constexpr std::size_t kMostLetters = 48;
  return arch.size() <= kMostLetters ? arch : arch.substr(0, kMostLetters - 3) + "...";
}

/// Relative error and origin; nothing of what is unknown.
void add_error(std::vector<std::string>& cells, const Evaluation& network,
               const CostMetric& metric) {
  const bool is_known = network.has_cost && std::isfinite(metric.of(network));
  const Figure figure = is_known ? network.cost.*metric.figure : Figure{};
  cells.push_back(is_known ? number_text(figure.relative_error) : "");
  cells.push_back(is_known ? origin_text(figure.origin) : "");
}

std::vector<std::string> candidate_cells(const Evaluation& evaluation, const MetricNames& own,
                                         const std::vector<std::string>& columns,
                                         const Benchmark* benchmark) {
  std::vector<std::string> cells{
      evaluation.text, evaluation.canonical, evaluation.is_valid() ? "true" : "false",
      evaluation.is_feasible() ? "true" : "false", reasons_of(evaluation, own)};
  for (const std::string& metric : columns)
    cells.push_back(number_or_nothing(metric_of(evaluation, metric, own)));
  for (const CostMetric* const metric : known_with_error()) add_error(cells, evaluation, *metric);
  for (std::size_t i = 0; benchmark != nullptr && i < benchmark->columns().size(); ++i)
    cells.push_back(
        number_or_nothing(benchmark->accuracy(evaluation.text, i).value_or(kNotANumber)));
  return cells;
}

bool is_chosen(const PointOutcome& outcome, std::size_t place) {
  return std::ranges::find(outcome.selection->chosen, place) != outcome.selection->chosen.end();
}

/// "knee, best by ranks, least latency_ms", or nothing.
std::string marks_of(const PointOutcome& outcome, std::size_t place) {
  const auto& [objectives, chosen, landmarks, by, options] = *outcome.selection;
  std::vector<std::string> marks;
  if (landmarks.knee == place) marks.emplace_back("knee");
  if (is_best_by_ranks(outcome) && outcome.result.best->text == outcome.result.front[place].text)
    marks.emplace_back("best by ranks");
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    const Objective& objective = outcome.objectives[objectives[k]];
    const bool is_least = objective.direction == Direction::minimize;
    if (landmarks.extremes[k] == place)
      marks.push_back((is_least ? "least " : "most ") + objective.metric);
  }
  return join(marks);
}

/// Who chooses wants to see what a network costs, also where that is no objective.
void add_known_costs(const std::vector<PointOutcome>& outcomes, std::vector<std::string>& metrics) {
  for (const CostMetric& metric : cost_metrics()) {
    const auto is_known = [&](const PointOutcome& outcome) {
      return std::ranges::any_of(outcome.result.front, [&](const Evaluation& network) {
        return std::isfinite(metric.of(network));
      });
    };
    if (std::ranges::any_of(outcomes, is_known) &&
        std::ranges::find(metrics, metric.name) == metrics.end())
      metrics.emplace_back(metric.name);
  }
}

std::string selected_texts(const PointOutcome& outcome) {
  std::vector<std::string> texts;
  if (outcome.selection)
    for (const std::size_t place : outcome.selection->chosen)
      texts.push_back(outcome.result.front[place].text);
  return join(texts, "; ");
}

/// A row that breaks a limit must not be read as one that keeps it.
std::string row_label(const std::string& row, const std::vector<PointOutcome>& outcomes) {
  const bool is_beyond = std::ranges::any_of(outcomes, [&](const PointOutcome& outcome) {
    return outcome.row == row && outcome.result.best && !outcome.result.best->is_feasible();
  });
  return (row.empty() ? "result" : row) + (is_beyond ? " (beyond the limits)" : "");
}

/// Networks, of which there are no parts.
bool is_count(const std::string& column) {
  return column == "class_size" || column == "front" || column == "scored" ||
         column.starts_with("count.");
}

std::string count_cell(const std::vector<double>& values) {
  if (values.empty()) return "-";
  const auto [mean, deviation] = mean_and_deviation(values);
  return deviation > 0 ? fmt::format("{:.1f} ± {:.1f}", mean, deviation)
                       : fmt::format("{:.0f}", mean);
}

/// "3 / 6": a place says nothing without how many there are.
std::string rank_cell(const std::vector<double>& ranks, const std::vector<double>& sizes) {
  const bool is_one_class = !sizes.empty() && std::ranges::all_of(sizes, [&](double size) {
    return size == sizes.front();
  });
  return count_cell(ranks) + (is_one_class ? fmt::format(" / {:.0f}", sizes.front()) : "");
}

/// A quantity of the points of a row.
std::vector<double> values_of(const std::vector<PointOutcome>& outcomes, const std::string& row,
                              const std::string& column) {
  std::vector<double> values;
  for (const PointOutcome& outcome : outcomes)
    if (outcome.row == row && outcome.quantities.contains(column))
      values.push_back(outcome.quantities.at(column));
  return values;
}

std::string report_cell(const std::vector<PointOutcome>& outcomes, const std::string& row,
                        const std::string& column) {
  const auto values = values_of(outcomes, row, column);
  if (column == "rank") return rank_cell(values, values_of(outcomes, row, "class_size"));
  return is_count(column) ? count_cell(values) : mean_text(values);
}

}  // namespace

Table report_table(const std::vector<PointOutcome>& outcomes,
                   const std::vector<std::string>& columns, const ReportSettings& settings) {
  Table table;
  table.header.emplace_back("row");
  table.header.insert(table.header.end(), columns.begin(), columns.end());
  for (const std::size_t first : first_of_rows(outcomes)) {
    const std::string& row = outcomes[first].row;
    std::vector<std::string> cells{row_label(row, outcomes)};
    for (const std::string& column : columns) cells.push_back(report_cell(outcomes, row, column));
    table.rows.push_back(std::move(cells));
  }
  for (const auto& published : settings.published) {
    std::vector<std::string> cells;
    for (const std::string& column : table.header) {
      const auto found = published.find(column);
      cells.push_back(found == published.end() ? "-" : found->second.text());
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table result_table(const std::vector<PointOutcome>& outcomes) {
  std::set<std::string> quantities;
  std::vector<std::string> paths;
  for (const PointOutcome& outcome : outcomes) {
    for (const auto& [name, value] : outcome.quantities)
      if (!is_duration(name)) quantities.insert(name);
    for (const Assignment& assignment : outcome.assignments)
      if (assignment.path != "seed" && std::ranges::find(paths, assignment.path) == paths.end())
        paths.push_back(assignment.path);
  }
  Table table;
  table.header = result_columns();
  table.header.insert(table.header.end(), paths.begin(), paths.end());
  table.header.insert(table.header.end(), quantities.begin(), quantities.end());
  if (has_costs(outcomes)) {
    add_error_columns(table.header);
    table.header.emplace_back("runtime");
  }
  const bool selects = std::ranges::any_of(
      outcomes, [](const PointOutcome& outcome) { return outcome.selection.has_value(); });
  if (selects) table.header.emplace_back("selected");
  for (const PointOutcome& outcome : outcomes) {
    const auto& best = outcome.result.best;
    std::vector<std::string> cells{outcome.row, std::to_string(outcome.seed),
                                   best ? best->text : "",
                                   best && best->is_feasible() ? "true" : "false"};
    for (const std::string& path : paths) {
      const auto found = std::ranges::find(outcome.assignments, path, &Assignment::path);
      cells.push_back(found == outcome.assignments.end() ? "" : detail::one_line(found->value));
    }
    for (const std::string& name : quantities) {
      const auto found = outcome.quantities.find(name);
      const bool is_known = found != outcome.quantities.end() && std::isfinite(found->second);
      cells.push_back(is_known ? number_text(found->second) : "");
    }
    if (has_costs(outcomes)) {
      for (const CostMetric* const metric : known_with_error())
        add_error(cells, best.value_or(Evaluation{}), *metric);
      cells.push_back(outcome.target ? runtime_text(*outcome.target) : "");
    }
    if (selects) cells.push_back(selected_texts(outcome));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table candidate_table(const std::vector<PointOutcome>& outcomes, const Benchmark* benchmark) {
  Table table;
  if (outcomes.empty()) return table;
  table.header = candidate_columns();
  std::vector<std::string> metrics;
  for (const CostMetric& metric : cost_metrics()) metrics.emplace_back(metric.name);
  for (const PointOutcome& outcome : outcomes)  // points of a sweep may have different ones
    for (const auto& names : {outcome.metrics.proxies, outcome.metrics.aggregates})
      for (const std::string& name : names)
        if (std::ranges::find(metrics, name) == metrics.end()) metrics.push_back(name);
  table.header.insert(table.header.end(), metrics.begin(), metrics.end());
  add_error_columns(table.header);
  for (std::size_t i = 0; benchmark != nullptr && i < benchmark->columns().size(); ++i)
    table.header.push_back(benchmark->title(i));
  for (std::size_t point = 0; point < outcomes.size(); ++point) {
    std::size_t number = outcomes[point].first_number;
    for (const Evaluation& evaluation : outcomes[point].evaluated) {
      auto cells = candidate_cells(evaluation, outcomes[point].metrics, metrics, benchmark);
      cells.insert(cells.begin(), {std::to_string(number++), std::to_string(point + 1)});
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

Table selection_table(const std::vector<PointOutcome>& outcomes, const Benchmark* benchmark,
                      Digits digits) {
  // As files have it, or in the units of the table of results.
  const auto known = [&](const std::string& metric) {
    return digits == Digits::all ? nullptr : find_cost_metric(metric);
  };
  const auto name_of = [&](const std::string& metric) {
    return known(metric) == nullptr ? metric : std::string{known(metric)->column};
  };
  const auto shown = [&](const std::string& metric, double value) {
    if (digits == Digits::all) return number_or_nothing(value);
    return mean_text({known(metric) == nullptr ? value : value / known(metric)->unit});
  };
  Table table;
  std::vector<std::string> metrics;
  for (const PointOutcome& outcome : outcomes)
    for (const Objective& objective : outcome.objectives)
      if (std::ranges::find(metrics, objective.metric) == metrics.end())
        metrics.push_back(objective.metric);
  add_known_costs(outcomes, metrics);
  table.header = selection_columns();
  std::ranges::transform(metrics, std::back_inserter(table.header), name_of);
  const bool has_errors = digits == Digits::all && has_costs(outcomes);
  if (has_errors) add_error_columns(table.header);
  const auto limited = limited_metrics(outcomes);
  for (const std::string& metric : limited) table.header.push_back(name_of(metric) + "_limit");
  const std::size_t accuracies = benchmark == nullptr       ? 0
                                 : benchmark->has_a_first() ? 1
                                                            : benchmark->columns().size();
  for (std::size_t i = 0; i < accuracies; ++i) table.header.push_back(benchmark->title(i));
  for (const PointOutcome& outcome : outcomes) {
    if (!outcome.selection) continue;
    for (std::size_t place = 0; place < outcome.result.front.size(); ++place) {
      const std::string marks = marks_of(outcome, place);
      if (!is_chosen(outcome, place) && marks.empty()) continue;
      const Evaluation& network = outcome.result.front[place];
      table.rows.push_back({std::to_string(number_of(outcome, network.text)), outcome.row,
                            std::to_string(outcome.seed),
                            digits == Digits::all ? network.text : cut_text(network.text),
                            is_chosen(outcome, place) ? "true" : "false", marks});
      for (const std::string& metric : metrics)
        table.rows.back().push_back(shown(metric, metric_of(network, metric, outcome.metrics)));
      if (has_errors)
        for (const CostMetric* const metric : known_with_error())
          add_error(table.rows.back(), network, *metric);
      for (const std::string& metric : limited)
        table.rows.back().push_back(shown(metric, limit_of(outcome.limits, metric)));
      for (std::size_t i = 0; i < accuracies; ++i)
        table.rows.back().push_back(
            shown("accuracy", benchmark->accuracy(network.text, i).value_or(kNotANumber)));
    }
  }
  return table;
}

}  // namespace thimble
