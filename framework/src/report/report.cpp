#include <thimble/report/report.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/report/analysis.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

Value number(double value) {
  return std::isfinite(value) ? Value::scalar(number_text(value)) : Value{};
}

Value text(const std::string& words) { return Value::scalar(words, true); }

void measure_best(PointOutcome& outcome, const Benchmark* benchmark) {
  auto& quantities = outcome.quantities;
  const Evaluation& best = *outcome.result.best;
  for (const CostMetric& metric : cost_metrics())
    if (best.has_cost || !metric.needs_hardware())
      quantities[std::string{metric.column}] = metric.of(best) / metric.unit;
  for (std::size_t i = 0; i < best.proxies.size(); ++i)
    quantities[outcome.metrics.proxies[i]] = best.proxies[i].value;
  for (std::size_t i = 0; i < best.aggregates.size(); ++i)
    quantities[outcome.metrics.aggregates[i]] = best.aggregates[i];
  if (benchmark == nullptr) return;
  if (const auto standing = benchmark->standing(best.text)) {
    quantities["accuracy"] = standing->accuracy;
    quantities["rank"] = standing->rank;
    quantities["class_size"] = standing->class_size;
    quantities["class_best"] = standing->class_best;
    quantities["regret"] = standing->regret();
  }
}

/// Mean time of a proxy's value; cells of one canonical form share theirs.
void measure_seconds(PointOutcome& outcome) {
  std::map<std::string, const Evaluation*> timed;
  for (const Evaluation& evaluation : outcome.evaluated)
    timed.try_emplace(evaluation.canonical, &evaluation);
  for (std::size_t i = 0; i < outcome.metrics.proxies.size(); ++i) {
    std::vector<double> seconds;
    for (const auto& [canonical, evaluation] : timed)
      if (i < evaluation->proxies.size() && !evaluation->proxies[i].repeats.empty())
        seconds.push_back(evaluation->proxies[i].seconds);
    if (!seconds.empty())
      outcome.quantities["seconds." + outcome.metrics.proxies[i]] =
          std::reduce(seconds.begin(), seconds.end()) / static_cast<double>(seconds.size());
  }
}

/// How each metric ranks the networks against the published accuracies.
void measure_agreement(PointOutcome& outcome, const Benchmark& benchmark) {
  const Sample sample = sample_of(outcome, &benchmark);
  if (sample.size() < 2) return;
  const auto& accuracies = sample.accuracies[0].values;
  for (const Sample::Column& metric : sample.metrics) {
    const auto all = with_worst(metric);
    std::vector<double> values, own;
    for (const std::size_t cell : looked_at(metric)) {
      values.push_back(all[cell]);
      own.push_back(accuracies[cell]);
    }
    outcome.quantities["tau." + metric.name] = kendall_tau(values, own);
    outcome.quantities["rho." + metric.name] = spearman_rho(values, own);
    outcome.quantities["count." + metric.name] = static_cast<double>(
        std::ranges::count_if(metric.values, [](double value) { return !std::isnan(value); }));
  }
}

Value figure(const Figure& figure) {
  Value map = Value::map();
  map.set("value", number(figure.value));
  map.set("relative_error", number(figure.relative_error));
  for (const auto& [name, origin] : names_of(Origin{}))
    if (origin == figure.origin) map.set("origin", Value::scalar(name));
  return map;
}

/// Columns of the display width, which is what UTF-8 text of one-column letters has.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string number_or_nothing(double value) {
  return std::isfinite(value) ? number_text(value) : "";
}

/// Why it cannot be compared or is beyond the limits, and why proxies have no value of it.
std::string reasons_of(const Evaluation& evaluation, const MetricNames& own) {
  std::vector<std::string> reasons;
  if (!evaluation.reason().empty()) reasons.push_back(evaluation.reason());
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    if (const std::string& why = evaluation.proxies[i].invalid;
        !why.empty() && why != evaluation.reason())
      reasons.push_back(own.proxies[i] + ": " + why);
  return join(reasons, "; ");
}

std::vector<std::string> candidate_cells(const Evaluation& evaluation, const MetricNames& own,
                                         const std::vector<std::string>& columns,
                                         const Benchmark* benchmark) {
  std::vector<std::string> cells{
      evaluation.text, evaluation.canonical, evaluation.is_valid() ? "true" : "false",
      evaluation.is_feasible() ? "true" : "false", reasons_of(evaluation, own)};
  for (const std::string& metric : columns)
    cells.push_back(number_or_nothing(metric_of(evaluation, metric, own)));
  for (std::size_t i = 0; benchmark != nullptr && i < benchmark->columns().size(); ++i)
    cells.push_back(
        number_or_nothing(benchmark->accuracy(evaluation.text, i).value_or(kNotANumber)));
  return cells;
}

bool is_chosen(const PointOutcome& outcome, std::size_t place) {
  return std::ranges::find(outcome.selection->chosen, place) != outcome.selection->chosen.end();
}

/// "knee, least latency_ms", or nothing.
std::string marks_of(const PointOutcome& outcome, std::size_t place) {
  const auto& [objectives, chosen, landmarks, by, options] = *outcome.selection;
  std::vector<std::string> marks;
  if (landmarks.knee == place) marks.emplace_back("knee");
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    const Objective& objective = outcome.objectives[objectives[k]];
    const bool is_least = objective.direction == Direction::minimize;
    if (landmarks.extremes[k] == place)
      marks.push_back((is_least ? "least " : "most ") + objective.metric);
  }
  return join(marks);
}

Value selection_document(const PointOutcome& outcome) {
  const auto& [objectives, chosen, landmarks, by, options] = *outcome.selection;
  const auto network = [&](std::size_t place) { return text(outcome.result.front[place].text); };
  Value networks = Value::sequence();
  for (const std::size_t place : chosen) networks.items().push_back(network(place));
  Value extremes = Value::map();
  for (std::size_t k = 0; k < objectives.size(); ++k)
    extremes.set(outcome.objectives[objectives[k]].metric, network(landmarks.extremes[k]));
  Value map = Value::map();
  map.set("networks", std::move(networks));
  map.set("knee", network(landmarks.knee));
  map.set("extremes", std::move(extremes));
  return map;
}

std::string selected_texts(const PointOutcome& outcome) {
  std::vector<std::string> texts;
  if (outcome.selection)
    for (const std::size_t place : outcome.selection->chosen)
      texts.push_back(outcome.result.front[place].text);
  return join(texts, "; ");
}

/// A bar by itself would end the cell.
std::string in_a_cell(const std::string& text) {
  std::string cell;
  for (const char letter : text) cell += letter == '|' ? "\\|" : std::string(1, letter);
  return cell;
}

}  // namespace

std::string mean_text(const std::vector<double>& values) {
  if (values.empty()) return "-";
  const auto [mean, deviation] = mean_and_deviation(values);
  if (!std::isfinite(mean)) return "-";
  const double size = std::abs(mean);
  const int decimals = size >= 1000 || size == 0 ? 0
                       : size >= 100             ? 1
                       : size >= 1               ? 2
                       : size >= 0.01            ? 3
                                                 : 5;
  const std::string text =
      size >= 1e6 ? fmt::format("{:.3g}", mean) : fmt::format("{:.{}f}", mean, decimals);
  return deviation > 0 ? text + (size >= 1e6 ? fmt::format(" ± {:.2g}", deviation)
                                             : fmt::format(" ± {:.{}f}", deviation, decimals))
                       : text;
}

void measure(PointOutcome& outcome, const Benchmark* benchmark) {
  if (outcome.result.best) measure_best(outcome, benchmark);
  measure_seconds(outcome);
  if (benchmark != nullptr) measure_agreement(outcome, *benchmark);
  outcome.quantities["front"] = static_cast<double>(outcome.result.front.size());
  outcome.quantities["scored"] = static_cast<double>(outcome.scored);
  outcome.quantities["search_seconds"] = outcome.proxy_seconds;
  outcome.quantities["wall_seconds"] = outcome.wall_seconds;
}

void add_speedups(std::vector<PointOutcome>& outcomes, const std::string& baseline) {
  std::vector<double> latencies;
  for (const PointOutcome& outcome : outcomes)
    if (outcome.row == baseline && outcome.quantities.contains("latency_ms"))
      latencies.push_back(outcome.quantities.at("latency_ms"));
  if (latencies.empty()) return;
  const double reference = mean_and_deviation(latencies).mean;
  for (PointOutcome& outcome : outcomes)
    if (outcome.quantities.contains("latency_ms"))
      outcome.quantities["speedup"] = reference / outcome.quantities.at("latency_ms");
}

Table report_table(const std::vector<PointOutcome>& outcomes,
                   const std::vector<std::string>& columns, const ReportSettings& settings) {
  Table table;
  table.header.emplace_back("row");
  table.header.insert(table.header.end(), columns.begin(), columns.end());
  std::vector<std::string> rows;
  for (const PointOutcome& outcome : outcomes)
    if (std::ranges::find(rows, outcome.row) == rows.end()) rows.push_back(outcome.row);
  for (const std::string& row : rows) {
    std::vector<std::string> cells{row.empty() ? "result" : row};
    for (const std::string& column : columns) {
      std::vector<double> values;
      for (const PointOutcome& outcome : outcomes)
        if (outcome.row == row && outcome.quantities.contains(column))
          values.push_back(outcome.quantities.at(column));
      cells.push_back(mean_text(values));
    }
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

std::string to_markdown(const Table& given) {
  Table table = given;
  for (auto& row : table.rows)
    for (std::string& cell : row) cell = in_a_cell(cell);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    std::size_t width = std::max<std::size_t>(3, width_of(table.header[i]));
    for (const auto& row : table.rows) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string gap(widths[i] - width_of(cells[i]), ' ');
      out += "| " + (i == 0 ? cells[i] + gap : gap + cells[i]) + " ";
    }
    out += "|\n";
  };
  add_line(table.header);
  for (std::size_t i = 0; i < widths.size(); ++i)
    out += i == 0 ? "|" + std::string(widths[i] + 2, '-')
                  : "|" + std::string(widths[i] + 1, '-') + ":";
  out += "|\n";
  for (const auto& row : table.rows) add_line(row);
  return out;
}

std::string to_csv(const Table& table) {
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) out += ',';
      if (cells[i].find_first_of(",\"\n") == std::string::npos) {
        out += cells[i];
        continue;
      }
      out += '"';
      for (const char letter : cells[i]) out += letter == '"' ? "\"\"" : std::string(1, letter);
      out += '"';
    }
    out += '\n';
  };
  add_line(table.header);
  for (const auto& row : table.rows) add_line(row);
  return out;
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
  for (std::size_t i = 0; benchmark != nullptr && i < benchmark->columns().size(); ++i)
    table.header.push_back(i == 0 ? "accuracy" : "accuracy." + benchmark->columns()[i]);
  for (std::size_t point = 0; point < outcomes.size(); ++point) {
    for (const Evaluation& evaluation : outcomes[point].evaluated) {
      auto cells = candidate_cells(evaluation, outcomes[point].metrics, metrics, benchmark);
      cells.insert(cells.begin(), std::to_string(point + 1));
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

Table selection_table(const std::vector<PointOutcome>& outcomes, const Benchmark* benchmark,
                      Digits digits) {
  const auto shown = [&](double value) {
    return digits == Digits::all ? number_or_nothing(value) : mean_text({value});
  };
  Table table;
  std::vector<std::string> metrics;
  for (const PointOutcome& outcome : outcomes)
    for (const Objective& objective : outcome.objectives)
      if (std::ranges::find(metrics, objective.metric) == metrics.end())
        metrics.push_back(objective.metric);
  table.header = selection_columns();
  table.header.insert(table.header.end(), metrics.begin(), metrics.end());
  if (benchmark != nullptr) table.header.emplace_back("accuracy");
  for (const PointOutcome& outcome : outcomes) {
    if (!outcome.selection) continue;
    for (std::size_t place = 0; place < outcome.result.front.size(); ++place) {
      const std::string marks = marks_of(outcome, place);
      if (!is_chosen(outcome, place) && marks.empty()) continue;
      const Evaluation& network = outcome.result.front[place];
      table.rows.push_back({outcome.row, std::to_string(outcome.seed), network.text,
                            is_chosen(outcome, place) ? "true" : "false", marks});
      for (const std::string& metric : metrics)
        table.rows.back().push_back(shown(metric_of(network, metric, outcome.metrics)));
      if (benchmark != nullptr)
        table.rows.back().push_back(shown(benchmark->accuracy(network.text).value_or(kNotANumber)));
    }
  }
  return table;
}

Value evaluation_document(const Evaluation& evaluation, const MetricNames& metrics) {
  Value map = Value::map();
  map.set("arch", text(evaluation.text));
  map.set("canonical", text(evaluation.canonical));
  map.set("valid", Value::scalar(evaluation.is_valid() ? "true" : "false"));
  map.set("feasible", Value::scalar(evaluation.is_feasible() ? "true" : "false"));
  map.set("reason", text(reasons_of(evaluation, metrics)));
  for (const CostMetric& metric : cost_metrics())
    if (!metric.needs_hardware()) map.set(std::string{metric.name}, number(metric.of(evaluation)));
  Value values = Value::map();
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    values.set(metrics.proxies[i], number(evaluation.proxies[i].value));
  map.set("proxies", std::move(values));
  Value aggregates = Value::map();
  for (std::size_t i = 0; i < evaluation.aggregates.size(); ++i)
    aggregates.set(metrics.aggregates[i], number(evaluation.aggregates[i]));
  map.set("aggregates", std::move(aggregates));
  Value cost = Value::map();
  for (const CostMetric& metric : cost_metrics())
    if (evaluation.has_cost && metric.needs_hardware())
      cost.set(std::string{metric.name}, figure(evaluation.cost.*metric.figure));
  map.set("cost", std::move(cost));
  return map;
}

Value result_document(const std::vector<PointOutcome>& outcomes) {
  Value points = Value::sequence();
  for (const PointOutcome& outcome : outcomes) {
    Value point = Value::map();
    point.set("row", text(outcome.row));
    point.set("seed", Value::scalar(std::to_string(outcome.seed)));
    Value set = Value::map();
    for (const auto& [path, value] : outcome.assignments) set.set(path, value);
    point.set("set", std::move(set));
    if (outcome.result.best)
      point.set("best", evaluation_document(*outcome.result.best, outcome.metrics));
    Value quantities = Value::map();
    for (const auto& [name, value] : outcome.quantities)
      if (!is_duration(name)) quantities.set(name, number(value));
    point.set("quantities", std::move(quantities));
    Value front = Value::sequence();
    for (const Evaluation& evaluation : outcome.result.front)
      front.items().push_back(evaluation_document(evaluation, outcome.metrics));
    point.set("front", std::move(front));
    if (outcome.selection) point.set("selected", selection_document(outcome));
    Value remarks = Value::sequence();
    for (const std::string& remark : outcome.result.remarks)
      remarks.items().push_back(text(remark));
    point.set("remarks", std::move(remarks));
    points.items().push_back(std::move(point));
  }
  Value document = Value::map();
  document.set("points", std::move(points));
  return document;
}

Value timing_document(const std::vector<PointOutcome>& outcomes) {
  Value points = Value::sequence();
  for (const PointOutcome& outcome : outcomes) {
    Value point = Value::map();
    point.set("row", text(outcome.row));
    point.set("seed", Value::scalar(std::to_string(outcome.seed)));
    for (const auto& [name, value] : outcome.quantities)
      if (is_duration(name)) point.set(name, number(value));
    points.items().push_back(std::move(point));
  }
  Value document = Value::map();
  document.set("points", std::move(points));
  return document;
}

}  // namespace thimble
