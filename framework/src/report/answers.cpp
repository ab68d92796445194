#include <thimble/report/answers.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/report/tables.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

/// Of more there is a table.
constexpr std::size_t kMostPoints = 6;
/// Where more of the networks are on the front, its objectives tell few of them apart.
constexpr double kCrowdedFront = 0.5;

/// What people ask of a column.
const std::map<std::string, std::string>& meanings() {
  static const std::map<std::string, std::string> kMeanings{
      {"macs_m", "multiply-accumulates, in millions"},
      {"params_m", "parameters, in millions"},
      {"ram_kb", "RAM in KiB: arena, stack and firmware"},
      {"rom_kb", "flash in KiB: constants, kernels and firmware"},
      {"accuracy",
       "of the benchmark, in per cent: as published, or with `benchmark: trained` the first metric "
       "of "
       "the last stage that was trained"},
      {"rank", "place by the benchmark's accuracy / networks of the same MACs there"},
      {"class_size", "networks of the benchmark with as many MACs"},
      {"regret", "points of accuracy below the best network of the same MACs"},
      {"front", "networks that no other beats in all objectives"},
      {"scored",
       "different networks whose proxies were asked for; those that compute the same count once"},
      {"hypervolume",
       "share of the box of all rows' fronts that the row's dominates, so of the rows that were "
       "run; "
       "more is better"},
      {"igd", "mean distance from the front of those rows together to the row's; less is better"},
      {"search_seconds",
       "processor time of all scores that the row asked for; rows share scores, so a run takes "
       "less than their sum"}};
  return kMeanings;
}

std::vector<Figure> figures_of(const PointOutcome& outcome, Figure Cost::*figure) {
  std::vector<Figure> figures;
  if (outcome.result.best && outcome.result.best->has_cost &&
      std::isfinite((outcome.result.best->cost.*figure).value))
    figures.push_back(outcome.result.best->cost.*figure);
  return figures;
}

bool is_shown(const std::vector<std::string>& columns, std::string_view name) {
  return std::ranges::find(columns, name) != columns.end();
}

/// Points by what their latencies are of.
std::map<std::string, std::vector<const PointOutcome*>> by_runtime(
    const std::vector<PointOutcome>& outcomes) {
  std::map<std::string, std::vector<const PointOutcome*>> groups;
  for (const PointOutcome& outcome : outcomes)
    if (outcome.target) groups[runtime_text(*outcome.target)].push_back(&outcome);
  return groups;
}

std::string rows_text(const std::vector<const PointOutcome*>& points) {
  std::vector<std::string> rows;
  for (const PointOutcome* const point : points)
    if (std::ranges::find(rows, point->row) == rows.end()) rows.push_back(point->row);
  constexpr std::size_t kMostNamed = 4;
  if (rows.size() <= kMostNamed) return join(rows);
  return fmt::format("{}, ..., {}", rows.front(), rows.back());
}

/// "- latency_ms: on NUCLEO-F446RE with thimble 4f1f2f21, ± 50 %, guessed: ..."
std::string cost_lines(const std::vector<PointOutcome>& outcomes, const CostMetric& metric) {
  std::string text;
  const auto groups = by_runtime(outcomes);
  for (const auto& [runtime, points] : groups) {
    std::vector<Figure> figures;
    for (const PointOutcome* const point : points)
      std::ranges::copy(figures_of(*point, metric.figure), std::back_inserter(figures));
    if (figures.empty()) continue;
    const bool is_guessed = std::ranges::any_of(
        figures, [](const Figure& figure) { return figure.origin == Origin::guessed; });
    const std::string& remark = points.front()->target->remark;
    text += fmt::format("- {}: {}on {}, {}{}\n", metric.column,
                        groups.size() > 1 ? rows_text(points) + ": " : "", runtime,
                        error_text(figures), is_guessed && !remark.empty() ? ": " + remark : "");
  }
  return text;
}

/// "; ± 36 %, guessed" behind what a column of memory means.
std::string error_of_column(const std::vector<PointOutcome>& outcomes, const CostMetric& metric) {
  std::vector<Figure> figures;
  for (const PointOutcome& outcome : outcomes)
    std::ranges::copy(figures_of(outcome, metric.figure), std::back_inserter(figures));
  return figures.empty() ? "" : "; " + error_text(figures);
}

/// Whether all latencies are those of the C that thimble writes.
bool are_all_ours(const std::vector<PointOutcome>& outcomes) {
  return std::ranges::all_of(outcomes, [](const PointOutcome& outcome) {
    return !outcome.target || outcome.target->runtime == own_kernels();
  });
}

std::string objectives_text(const PointOutcome& outcome) {
  std::vector<std::string> names;
  for (const Objective& objective : outcome.objectives) names.push_back(objective.metric);
  return join(names);
}

/// "least latency_ms, most meco", or nothing. Where all are alike, none is an end.
std::string ends_text(const PointOutcome& outcome, const Evaluation& network) {
  std::vector<std::string> ends;
  for (const auto& [metric, direction, weight] : outcome.objectives) {
    std::vector<double> values;
    for (const Evaluation& other : outcome.result.front)
      values.push_back(goodness(metric_of(other, metric, outcome.metrics), direction));
    const double own = goodness(metric_of(network, metric, outcome.metrics), direction);
    const auto [worst, best] = std::ranges::minmax(values);
    if (own == best && worst < best)
      ends.push_back((direction == Direction::minimize ? "least " : "most ") + metric);
  }
  return join(ends);
}

/// "macs_m 15.65, meco 12.14": costs in the units of the table.
std::string objectives_of(const PointOutcome& outcome, const Evaluation& network) {
  std::vector<std::string> parts;
  for (const auto& [metric, direction, weight] : outcome.objectives) {
    const CostMetric* const cost = find_cost_metric(metric);
    const double value = metric_of(network, metric, outcome.metrics);
    parts.push_back((cost != nullptr ? std::string{cost->column} : metric) + " " +
                    mean_text({cost != nullptr ? value / cost->unit : value}));
  }
  return join(parts);
}

/// Of the networks within the limits, those that have a metric.
std::vector<double> values_of(const PointOutcome& outcome, const std::string& metric) {
  std::vector<double> values;
  for (const Evaluation& network : outcome.evaluated)
    if (const double value = metric_of(network, metric, outcome.metrics);
        network.is_feasible() && std::isfinite(value))
      values.push_back(value);
  return values;
}

/// A proxy at its ceiling looks like an answer and is none.
std::string ties_text(const PointOutcome& outcome, const std::string& row) {
  constexpr std::ptrdiff_t kFewest = 3;  // of two, equal ones are no wonder
  std::string text;
  for (const auto& [metric, direction, weight] : outcome.objectives) {
    const std::vector<double> values = values_of(outcome, metric);
    if (weight == 0 || std::ssize(values) < kFewest) continue;
    const auto best =
        std::ranges::count(values, direction == Direction::minimize ? std::ranges::min(values)
                                                                    : std::ranges::max(values));
    if (2 * best > std::ssize(values))
      text += fmt::format(
          "- {}**the best {} is that of {} of {} networks**: it tells them not apart, and which of "
          "them is named says nothing\n",
          row, metric, best, values.size());
  }
  return text;
}

const Evaluation& knee_of(const PointOutcome& outcome) {
  return outcome.result.front[outcome.selection->landmarks.knee];
}

/// Why the search's result is that one.
std::string reason_of(const PointOutcome& outcome) {
  const Evaluation& best = *outcome.result.best;
  if (outcome.objectives.size() == 1)
    return (outcome.objectives[0].direction == Direction::minimize ? "the least " : "the most ") +
           outcome.objectives[0].metric;
  if (!is_best_by_ranks(outcome)) return "what the search ended with";
  std::string reason = "the best by the weighted sum of its ranks in " + objectives_text(outcome);
  if (const std::string ends = ends_text(outcome, best); !ends.empty())
    reason += fmt::format("; an end of the front ({}), {}", ends,
                          !outcome.selection ? "and `select: {k: 5}` shows what lies between"
                          : knee_of(outcome).text == best.text ? "and its knee, too"
                                                               : "so look at the knee, too");
  return reason;
}

std::string point_text(const PointOutcome& outcome) {
  const Evaluation& best = *outcome.result.best;
  const std::string row =
      outcome.row.empty() ? "" : fmt::format("{} (seed {}): ", outcome.row, outcome.seed);
  const auto line = [&](const Evaluation& network, const std::string& why) {
    return fmt::format("- {}network {} ({}): {}\n", row, number_of(outcome, network.text),
                       objectives_of(outcome, network), why);
  };
  std::string text = line(best, reason_of(outcome));
  if (outcome.selection) {
    const Evaluation& knee = knee_of(outcome);
    const std::string ends = ends_text(outcome, knee);
    if (knee.text != best.text)
      text += line(knee,
                   "the knee of the front, where a little less of one objective no longer gains "
                   "much of the others" +
                       (ends.empty() ? "" : "; an end, too (" + ends + ")"));
  }
  text += ties_text(outcome, row);
  const auto feasible = std::ranges::count_if(outcome.evaluated, &Evaluation::is_feasible);
  const auto front = std::ssize(outcome.result.front);
  if (outcome.objectives.size() < 2 || feasible < 2 || front < 2) return text;
  text += fmt::format(
      "- {}the front has {} of the {} networks within the limits{}\n", row, front, feasible,
      static_cast<double>(front) > kCrowdedFront * static_cast<double>(feasible)
          ? fmt::format(": {} objectives tell few of them apart, so choose by those "
                        "that matter most",
                        outcome.objectives.size())
          : "");
  return text;
}

}  // namespace

std::string runtime_text(const Target& target) {
  return target.runtime.empty() ? target.name : target.name + " with " + target.runtime;
}

std::string error_text(const std::vector<Figure>& figures) {
  if (figures.empty()) return "";
  const auto [least, most] = std::ranges::minmax(figures, {}, &Figure::relative_error);
  std::set<Origin> found;
  for (const Figure& figure : figures) found.insert(figure.origin);
  std::vector<std::string> origins;
  for (const auto& [name, origin] : names_of(Origin{}))
    if (found.contains(origin)) origins.push_back(name);
  const std::string origin = join(origins, " or ");
  if (!(most.relative_error > 0)) return origin == "counted" ? "exact, counted" : origin;
  const auto percent = [](double share) { return fmt::format("{:.2g}", 100 * share); };
  const std::string low = percent(least.relative_error), high = percent(most.relative_error);
  return fmt::format("± {}{} %, {}", low == high ? "" : low + " to ", high, origin);
}

std::string provenance_text(const Target& target, const Figure& latency_ms) {
  const bool is_doubted = latency_ms.origin == Origin::guessed && !target.remark.empty();
  return runtime_text(target) + (is_doubted ? ": " + target.remark : "");
}

std::string runtime_of(const PointOutcome& outcome) {
  return outcome.target ? outcome.target->runtime : "";
}

bool is_best_by_ranks(const PointOutcome& outcome) {
  const auto& all = outcome.evaluated;
  const auto has_all = [&](const Evaluation& network) {
    return network.objectives.size() == outcome.objectives.size();
  };
  return outcome.result.best && outcome.result.front.size() > 1 &&
         std::ranges::all_of(all, has_all) &&
         all[best_by_ranks(all, outcome.objectives)].text == outcome.result.best->text;
}

const std::string& origin_text(Origin origin) {
  return std::ranges::find(names_of(origin), origin, &std::pair<std::string, Origin>::second)
      ->first;
}

std::vector<Limit> lowest_limits(const std::vector<Limit>& limits) {
  std::vector<Limit> lowest;
  for (const Limit& limit : limits) {
    const auto found = std::ranges::find(lowest, limit.metric, &Limit::metric);
    if (found == lowest.end())
      lowest.push_back(limit);
    else
      found->most = std::min(found->most, limit.most);
  }
  return lowest;
}

std::vector<std::string> limited_metrics(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::string> metrics;
  const auto add = [&](const std::vector<Limit>& limits) {
    for (const Limit& limit : limits)
      if (std::ranges::find(metrics, limit.metric) == metrics.end())
        metrics.push_back(limit.metric);
  };
  for (const PointOutcome& outcome : outcomes) {
    add(outcome.limits);
    for (const TrainedRow& row : outcome.trained) add(row.limits);
  }
  return metrics;
}

double limit_of(const std::vector<Limit>& limits, const std::string& metric) {
  const auto lowest = lowest_limits(limits);
  const auto found = std::ranges::find(lowest, metric, &Limit::metric);
  return found == lowest.end() ? kNotANumber : found->most;
}

std::string mixed_runtimes(const std::vector<PointOutcome>& outcomes) {
  std::map<std::string, std::vector<const PointOutcome*>> groups;
  for (const PointOutcome& outcome : outcomes)
    if (outcome.target) groups[runtime_of(outcome)].push_back(&outcome);
  if (groups.size() < 2) return "";
  std::vector<std::string> parts;
  for (const auto& [runtime, points] : groups)
    parts.push_back(fmt::format("{} ({})", runtime, rows_text(points)));
  return "latencies of different runtimes cannot be compared: " + join(parts, "; ");
}

std::string legend_text(const std::vector<PointOutcome>& outcomes,
                        const std::vector<std::string>& columns) {
  std::string text;
  bool has_error = false;
  for (const std::string& column : columns) {
    const auto metric = std::ranges::find(cost_metrics(), column, &CostMetric::column);
    const bool is_time =
        metric != cost_metrics().end() && metric->needs_hardware() && !meanings().contains(column);
    const std::string lines = is_time ? cost_lines(outcomes, *metric) : "";
    has_error = has_error || !lines.empty();
    const bool is_memory = metric != cost_metrics().end() && metric->needs_hardware() && !is_time;
    if (const auto found = meanings().find(column); found != meanings().end())
      text += fmt::format("- {}: {}{}\n", column, found->second,
                          is_memory ? error_of_column(outcomes, *metric) : "");
    text += lines;
  }
  if (is_shown(columns, "speedup"))
    text += fmt::format(
        "- speedup: the baseline's latency over the row's; what both have in common of an error "
        "cancels, and {} (docs/what-to-write-in-a-paper.md)\n",
        are_all_ours(outcomes) ? "up to 21 % remained between convolutional networks on three chips"
                               : "how much of it that is nobody measured for every runtime here");
  if (has_error)
    text +=
        "- ±: half of an interval that is to hold 95 % of measured values; behind a mean in the "
        "table, the deviation over points\n";
  if (const std::string mixed = mixed_runtimes(outcomes); !mixed.empty())
    text += "- **" + mixed + "**\n";
  return text;
}

std::string choice_text(const std::vector<PointOutcome>& outcomes) {
  if (outcomes.size() > kMostPoints) return "";
  std::string text;
  for (const PointOutcome& outcome : outcomes)
    if (outcome.result.best && outcome.result.best->is_feasible()) text += point_text(outcome);
  const auto has_trained = [](const PointOutcome& outcome) { return !outcome.trained.empty(); };
  if (!text.empty() && std::ranges::any_of(outcomes, has_trained))
    text += "- what networks learned is not in it: see the trained networks\n";
  return text;
}

}  // namespace thimble
