#include <thimble/report/documents.hpp>

#include <cmath>

#include <thimble/core/text.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

Value number(double value) {
  return std::isfinite(value) ? Value::scalar(number_text(value)) : Value{};
}

Value text(const std::string& words) { return Value::scalar(words, true); }

Value texts(const std::vector<std::string>& lines) {
  Value list = Value::sequence();
  for (const std::string& line : lines) list.items().push_back(text(line));
  return list;
}

Value figure(const Figure& figure) {
  Value map = Value::map();
  map.set("value", number(figure.value));
  map.set("relative_error", number(figure.relative_error));
  map.set("origin", Value::scalar(origin_text(figure.origin)));
  return map;
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

Value point_document(const PointOutcome& outcome) {
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
  point.set("remarks", texts(outcome.result.remarks));
  return point;
}

}  // namespace

std::string reasons_of(const Evaluation& evaluation, const MetricNames& own) {
  std::vector<std::string> reasons;
  if (!evaluation.reason().empty()) reasons.push_back(evaluation.reason());
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    if (const std::string& why = evaluation.proxies[i].invalid;
        !why.empty() && why != evaluation.reason())
      reasons.push_back(own.proxies[i] + ": " + why);
  return join(reasons, "; ");
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

Value result_document(const std::vector<PointOutcome>& outcomes,
                      const std::vector<std::string>& remarks) {
  Value points = Value::sequence();
  for (const PointOutcome& outcome : outcomes) points.items().push_back(point_document(outcome));
  Value document = Value::map();
  document.set("points", std::move(points));
  if (!remarks.empty()) document.set("remarks", texts(remarks));
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
