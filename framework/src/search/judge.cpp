#include "judge.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/text.hpp>

namespace thimble {
namespace {

/// "rom_bytes 666000 of 524288"
std::string excess_text(const Limit& limit, double value) {
  const auto text = [](double number) {
    return number < 1e5 ? fmt::format("{:.6g}", number) : fmt::format("{:.0f}", number);
  };
  return fmt::format("{} {} of {}", limit.metric, text(value), text(limit.most));
}

}  // namespace

Judge::Judge(const ScoringSetup& setup) : setup_{setup} {
  for (const ScoredProxy& proxy : setup.proxies) names_.proxies.push_back(proxy.name);
  for (const Aggregate& aggregate : setup.aggregates) names_.aggregates.push_back(aggregate.name);
}

bool Judge::is_to_be_scored(const Evaluation& evaluation) const {
  return evaluation.is_feasible() || (setup_.scores_infeasible && evaluation.is_valid());
}

void Judge::judge(Evaluation& evaluation) const {
  evaluation.violation = 0;
  std::vector<std::string> excesses;
  for (const Limit& limit : setup_.limits) {
    const double value = cost_metric(evaluation, limit.metric);
    if (!(value > limit.most)) continue;
    evaluation.violation += limit.most > 0 ? value / limit.most - 1 : value;
    excesses.push_back(excess_text(limit, value));
  }
  evaluation.excess = join(excesses);
  evaluation.objectives.clear();
  for (const Objective& objective : setup_.objectives)
    evaluation.objectives.push_back(metric_of(evaluation, objective.metric, names_));
}

void Judge::judge_together(std::span<Evaluation> population) const {
  aggregate(population, setup_.aggregates, names_);
  for (Evaluation& evaluation : population) judge(evaluation);
}

void Judge::note_invalid(Evaluation& evaluation) const {
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    if (evaluation.invalid.empty() && is_objective(setup_.proxies[i].name))
      evaluation.invalid = evaluation.proxies[i].invalid;
}

bool Judge::is_objective(const std::string& proxy) const {
  const auto is_of = [&](const Objective& objective) {
    if (objective.metric == proxy) return true;
    const auto found = std::ranges::find(setup_.aggregates, objective.metric, &Aggregate::name);
    return found != setup_.aggregates.end() &&
           std::ranges::find(found->of, proxy, &DirectedMetric::metric) != found->of.end();
  };
  return setup_.objectives.empty() || std::ranges::any_of(setup_.objectives, is_of);
}

}  // namespace thimble
