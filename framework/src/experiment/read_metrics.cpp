#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

Value directed(const std::string& metric, Direction direction) {
  Value map = Value::map();
  map.set(direction == Direction::minimize ? "minimize" : "maximize", Value::scalar(metric));
  return map;
}

bool is_accuracy(const Study& study, const std::string& name) {
  const auto& benchmark = study.benchmark;
  return benchmark && (benchmark->accuracy == name ||
                       std::ranges::find(benchmark->also, name) != benchmark->also.end());
}

bool is_taken(const Study& study, const std::string& name) {
  const auto is_called = [&](const auto& other) { return other.name == name; };
  return is_cost_metric(name) || std::ranges::any_of(study.proxies, is_called) ||
         std::ranges::any_of(study.aggregates, is_called);
}

class MetricReader {
 public:
  explicit MetricReader(Reading& reading)
      : reading_{reading}, problems_{reading.problems}, study_{reading.study} {}

  void read_aggregates() {
    Value shown = Value::sequence();
    for (const Value& value : reading_.settings.aggregates) {
      if (!value.is_map()) {
        problems_.error(value.where(), "an aggregate must be a map, found " + value.found(),
                        "write {use: KIND, of: [METRIC, ...], as: NAME}");
        continue;
      }
      const auto before = problems_.size();
      const auto given = read_params<AggregateSettings>(value, "an aggregate", problems_);
      const Value* const name = name_of_metric(value);
      if (problems_.size() == before && require_metric_name(reading_, *name)) {
        study_.aggregates.push_back({name->text(), given.use, members_of(value, given.of)});
        shown.items().push_back(shown_aggregate(study_.aggregates.back()));
      }
      if (problems_.size() != before && name != nullptr)
        reading_.broken_metrics.push_back(name->text());
    }
    if (!shown.items().empty()) reading_.resolved.set("aggregates", std::move(shown));
  }

  void read_objectives() {
    for (const Value& value : reading_.settings.objectives)
      if (const auto given = read_directed<ObjectiveSettings>(value, "an objective"))
        add_objective(*given, value.find(given->key())->where());
    if (reading_.settings.objectives.empty()) add_default_objectives();
    Value shown = Value::sequence();
    for (const auto& [metric, direction, weight] : study_.objectives) {
      Value entry = directed(metric, direction);
      entry.set("weight", Value::scalar(number_text(weight)));
      shown.items().push_back(std::move(entry));
    }
    reading_.resolved.set("objectives", std::move(shown));
  }

  /// In which fronts are compared: the objectives where nothing else is said.
  void read_comparison() {
    study_.compared = metrics_of("compare", reading_.settings.report.compare);
    if (!study_.compared.empty()) return;
    for (const auto& [metric, direction, weight] : study_.objectives)
      study_.compared.push_back({metric, direction});
  }

 private:
  /// What is known of a candidate by itself; aggregates are made of these.
  std::vector<std::string> own_metrics() const {
    std::vector<std::string> names;
    for (const auto& proxy : study_.proxies) names.push_back(proxy.name);
    for (const CostMetric& metric : cost_metrics())
      if (study_.hardware != nullptr || !metric.needs_hardware()) names.emplace_back(metric.name);
    return names;
  }

  /// Reads {minimize: METRIC} or {maximize: METRIC}, and what else Given has.
  template <class Given>
  std::optional<Given> read_directed(const Value& value, const std::string& subject) {
    const char* const form = "write {minimize: METRIC} or {maximize: METRIC}";
    if (!value.is_map()) {
      problems_.error(value.where(),
                      fmt::format("{} must be a map, found {}", subject, value.found()), form);
      return std::nullopt;
    }
    const auto before = problems_.size();
    const auto given = read_params<Given>(value, subject, problems_);
    if (problems_.size() != before) return std::nullopt;
    if (given.is_one()) return given;
    problems_.error(value.where(), subject + " needs either 'minimize' or 'maximize'", form);
    return std::nullopt;
  }

  /// False when there is no such metric; it is reported, here or where it should have been made.
  bool require_metric(const std::string& metric, const std::vector<std::string>& known,
                      const Location& where) {
    if (std::ranges::find(known, metric) != known.end()) {
      require_known_energy(reading_, metric, where);
      return true;
    }
    const bool needs_board = is_cost_metric(metric);
    const bool is_of_broken = nearest(metric, reading_.broken_metrics).has_value();
    if (needs_board ? !reading_.settings.hardware.is_null() : is_of_broken) return false;
    problems_.error(
        where,
        needs_board ? fmt::format("'{}' needs 'hardware'", metric)
                    : fmt::format("no metric {}{}", in_quotes(metric), did_you_mean(metric, known)),
        needs_board ? "add hardware: {use: analytic, board: NAME}" : "metrics are " + join(known));
    return false;
  }

  /// Which way is better where the experiment does not say.
  Direction own_direction(const std::string& metric) const {
    for (const auto& proxy : study_.proxies)
      if (proxy.name == metric) return proxy.proxy->direction();
    return is_cost_metric(metric) ? Direction::minimize : Direction::maximize;
  }

  /// `list` is what stands behind `key`: metrics with their own direction or a given one.
  std::vector<DirectedMetric> metrics_of(const std::string& key, const std::vector<Value>& list) {
    std::vector<DirectedMetric> metrics;
    for (const Value& value : list) {
      DirectedMetric metric{value.text(), own_direction(value.text())};
      Location where = value.where();
      if (!value.is_scalar()) {
        const auto given = read_directed<DirectedSettings>(value, "an entry of '" + key + "'");
        if (!given) continue;
        metric = {given->metric(), given->direction()};
        where = value.find(given->key())->where();
      }
      if (!require_member(key, metric.metric, metrics, where)) continue;
      metrics.push_back(std::move(metric));
    }
    return metrics;
  }

  std::vector<DirectedMetric> members_of(const Value& aggregate, const std::vector<Value>& of) {
    if (of.empty())
      problems_.error(aggregate.find("of")->where(), "'of' names no metric",
                      "metrics are " + join(own_metrics()));
    return metrics_of("of", of);
  }

  bool require_member(const std::string& key, const std::string& metric,
                      const std::vector<DirectedMetric>& others, const Location& where) {
    const bool is_aggregate =
        std::ranges::any_of(reading_.settings.aggregates, [&](const Value& other) {
          const Value* const name = name_of_metric(other);
          return name != nullptr && name->text() == metric;
        });
    if (is_aggregate) {
      problems_.error(where, fmt::format("'{}' is an aggregate itself", metric),
                      "write its members in its place");
      return false;
    }
    if (std::ranges::find(others, metric, &DirectedMetric::metric) != others.end()) {
      problems_.error(where, fmt::format("'{}' stands in '{}' twice", metric, key),
                      "keep one of them");
      return false;
    }
    return require_metric(metric, own_metrics(), where);
  }

  static Value shown_aggregate(const Aggregate& aggregate) {
    AggregateSettings settings{aggregate.kind, {}, aggregate.name};
    for (const auto& [metric, direction] : aggregate.of)
      settings.of.push_back(directed(metric, direction));
    return write_params(settings);
  }

  /// An aggregate speaks for its members: beside it, they would count twice.
  void add_default_objectives() {
    for (const Aggregate& aggregate : study_.aggregates)
      study_.objectives.push_back({aggregate.name, Direction::maximize, 1});
    if (!study_.aggregates.empty()) return;
    for (const auto& proxy : study_.proxies)
      study_.objectives.push_back({proxy.name, proxy.proxy->direction(), 1});
  }

  void add_objective(const ObjectiveSettings& given, const Location& where) {
    const std::string& metric = given.metric();
    auto known = own_metrics();
    for (const Aggregate& aggregate : study_.aggregates) known.push_back(aggregate.name);
    if (!require_metric(metric, known, where)) return;
    if (std::ranges::find(study_.objectives, metric, &Objective::metric) != study_.objectives.end())
      problems_.error(where, fmt::format("'{}' is an objective twice", metric), "keep one of them");
    if (!is_cost_metric(metric) && own_direction(metric) != given.direction())
      study_.remarks.push_back(
          fmt::format("'{}' is {}d here, against its own direction", metric, given.key()));
    study_.objectives.push_back({metric, given.direction(), given.weight});
  }

  Reading& reading_;
  Diagnostics& problems_;
  Study& study_;
};

}  // namespace

const Value* name_of_metric(const Value& entry) {
  const Value* const as = entry.find("as");
  return as != nullptr ? as : entry.find("use");
}

bool require_metric_name(Reading& reading, const Value& name) {
  Diagnostics& problems = reading.problems;
  if (!name.is_scalar() || !is_identifier(name.text())) {
    problems.error(name.where(),
                   name.is_scalar() ? in_quotes(name.text()) + " is no name for a metric"
                                    : "'as' must be text, found " + name.found(),
                   "names are lower case letters, digits and _, and begin with a letter");
    return false;
  }
  const auto before = problems.size();
  const std::string& text = name.text();
  const char* const note = "give the metric another name with as: NAME";
  if (is_fixed_column(text) && !is_cost_metric(text))
    problems.error(name.where(), fmt::format("'{}' is a column of the results", text), note);
  if (is_accuracy(reading.study, text))
    problems.error(name.where(), fmt::format("'{}' is an accuracy of the benchmark", text), note);
  if (is_taken(reading.study, text))
    problems.error(name.where(), fmt::format("two metrics are called '{}'", text),
                   "give one another name with as: NAME");
  return problems.size() == before;
}

void require_known_energy(Reading& reading, std::string_view metric, const Location& where) {
  if (metric != "energy_mj" || reading.study.hardware == nullptr) return;
  const Target& target = reading.study.hardware->target();
  if (target.active_power_mw <= 0)
    reading.problems.error(where, fmt::format("the energy on {} is unknown", target.name),
                           "its active power is not in the board file; name another board");
}

void read_metrics(Reading& reading) {
  MetricReader metrics{reading};
  metrics.read_aggregates();
  metrics.read_objectives();
  metrics.read_comparison();
}

}  // namespace thimble
