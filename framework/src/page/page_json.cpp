#include "page_json.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include <thimble/core/text.hpp>

#include "html.hpp"

namespace thimble {
namespace {

using Json = nlohmann::ordered_json;

/// Nothing in it ends the script element that it stands in.
std::string in_html(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char letter : text)
    if (letter == '<')
      safe += "\\u003c";
    else
      safe += letter;
  return safe;
}

/// Whole numbers without a point: half as many letters.
Json number(double value) {
  constexpr double kExact = 9007199254740992;
  if (std::isfinite(value) && std::abs(value) < kExact && value == std::floor(value))
    return static_cast<std::int64_t>(value);
  return value;
}

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

Json metric_json(const PageData::Metric& metric) {
  const Unit unit = unit_of(metric.name);
  Json json{{"name", metric.name},
            {"label", unit.label},
            {"unit", unit.symbol},
            {"factor", unit.factor},
            {"objective", metric.is_objective},
            {"accuracy", metric.is_accuracy}};
  if (metric.direction) json["better"] = *metric.direction == Direction::minimize ? "less" : "more";
  json["values"] = numbers(metric.values);
  return json;
}

Json limits_json(const std::vector<Limit>& limits) {
  Json json = Json::object();
  for (const Limit& limit : limits) json[limit.metric] = limit.most;
  return json;
}

Json point_json(const PageData::Point& point) {
  Json json{{"row", point.row},
            {"seed", point.seed},
            {"front", point.front},
            {"chosen", point.chosen},
            {"limits", limits_json(point.limits)},
            {"keeps", point.keeps_limits}};
  if (point.best_place) json["best"] = *point.best_place;
  if (point.knee) json["knee"] = *point.knee;
  Json ends = Json::object();
  for (const auto& [metric, place] : point.ends) ends[metric] = place;
  json["ends"] = std::move(ends);
  return json;
}

/// Short names: there are dozens of plans with dozens of layers.
Json plan_json(const PageData::Plan& named) {
  const NetworkPlan& plan = named.plan;
  Json layers = Json::array(), blocks = Json::array();
  for (const NetworkPlan::Layer& layer : plan.layers)
    layers.push_back({layer.name, layer.kernel, to_string(layer.shape), layer.inputs, layer.macs,
                      layer.rom_bytes, layer.latency_ms, layer.alive_bytes});
  for (const auto& [tensor, first, last, offset, bytes] : plan.blocks)
    blocks.push_back({tensor, first, last, offset, bytes});
  return {{"place", named.place},       {"input", to_string(plan.input)},
          {"arena", plan.arena_bytes},  {"bound", plan.lower_bound_bytes},
          {"peak", plan.peak_layer},    {"layers", std::move(layers)},
          {"blocks", std::move(blocks)}};
}

/// A table by columns; one whose cells are all numbers or empty is of numbers.
Json table_json(const CsvTable& table) {
  Json columns = Json::object();
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    const bool is_number = std::ranges::all_of(table.rows, [&](const auto& row) {
      return row[i].text.empty() || parse_number(row[i].text);
    });
    Json values = Json::array();
    for (const auto& row : table.rows)
      if (is_number)
        values.push_back(number(parse_number(row[i].text).value_or(kNotANumber)));
      else
        values.push_back(row[i].text);
    columns[table.header[i].text] = std::move(values);
  }
  return columns;
}

Json choice_json(const PageData::Choice& choice) {
  return {{"name", choice.name}, {"options", choice.options}, {"values", numbers(choice.values)}};
}

template <class Items, class Write>
Json list_of(const Items& items, Write write) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(write(item));
  return list;
}

/// Of what is not there for most networks, only what is there.
Json reasons_json(const PageData& data) {
  Json reasons = Json::object();
  for (std::size_t i = 0; i < data.reasons.size(); ++i)
    if (!data.reasons[i].empty()) reasons[std::to_string(i)] = data.reasons[i];
  return reasons;
}

}  // namespace

std::string json_of_run(const PageData& data) {
  Json tables = Json::object();
  for (const char* const name :
       {"history", "trained", "course", "fronts", "analysis", "agreement", "regret"})
    if (const CsvTable* const table = data.record.table(name)) tables[name] = table_json(*table);
  Json states = Json::array();
  for (const PageData::State state : data.state) states.push_back(static_cast<int>(state));
  return in_html({{"name", data.name},
                  {"board", data.target},
                  {"all", data.all_networks},
                  {"number", data.number},
                  {"arch", data.arch},
                  {"reasons", reasons_json(data)},
                  {"point", data.point},
                  {"state", std::move(states)},
                  {"metrics", list_of(data.metrics, metric_json)},
                  {"choices", list_of(data.choices, choice_json)},
                  {"points", list_of(data.points, point_json)},
                  {"plans", list_of(data.plans, plan_json)},
                  {"tables", std::move(tables)}});
}

std::string json_of_fronts(const std::vector<PageData>& runs) {
  Json list = Json::array();
  for (const PageData& run : runs) {
    std::vector<std::size_t> front;
    for (const PageData::Point& point : run.points)
      front.insert(front.end(), point.front.begin(), point.front.end());
    Json objectives = Json::array();
    for (const PageData::Metric& metric : run.metrics) {
      if (!metric.is_objective) continue;
      Json json = metric_json(metric);
      json["values"] = list_of(front, [&](std::size_t i) { return number(metric.values[i]); });
      objectives.push_back(std::move(json));
    }
    list.push_back({{"name", run.name},
                    {"folder", run.record.folder.filename().string()},
                    {"runtimes", run.runtimes},
                    {"number", list_of(front, [&](std::size_t i) { return run.number[i]; })},
                    {"objectives", std::move(objectives)}});
  }
  return in_html(list);
}

}  // namespace thimble
