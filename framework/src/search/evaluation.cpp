#include <thimble/search/evaluation.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include <thimble/search/cost_metrics.hpp>

namespace thimble {

double metric_of(const Evaluation& evaluation, const std::string& metric,
                 const MetricNames& names) {
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    if (names.proxies[i] == metric) return evaluation.proxies[i].value;
  for (std::size_t i = 0; i < evaluation.aggregates.size(); ++i)
    if (names.aggregates[i] == metric) return evaluation.aggregates[i];
  return cost_metric(evaluation, metric);
}

double goodness(double value, Direction direction) {
  if (std::isnan(value)) return -std::numeric_limits<double>::infinity();
  return direction == Direction::maximize ? value : -value;
}

void aggregate(std::span<Evaluation> population, const std::vector<Aggregate>& aggregates,
               const MetricNames& names) {
  for (Evaluation& evaluation : population) evaluation.aggregates.clear();
  for (const Aggregate& aggregate : aggregates) {
    std::vector<std::vector<double>> members;
    for (const auto& [metric, direction] : aggregate.of) {
      auto& member = members.emplace_back();
      for (const Evaluation& evaluation : population)
        member.push_back(goodness(metric_of(evaluation, metric, names), direction));
    }
    const auto values = combine(aggregate.kind, std::move(members));
    for (std::size_t i = 0; i < population.size(); ++i)
      population[i].aggregates.push_back(std::isfinite(values[i]) ? values[i] : kNotANumber);
  }
}

bool dominates(const Evaluation& a, const Evaluation& b, const std::vector<Objective>& objectives) {
  bool is_better = false;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const double mine = goodness(a.objectives[i], objectives[i].direction);
    const double other = goodness(b.objectives[i], objectives[i].direction);
    if (mine < other) return false;
    is_better = is_better || mine > other;
  }
  return is_better;
}

std::vector<Evaluation> pareto_front(const std::vector<Evaluation>& evaluations,
                                     const std::vector<Objective>& objectives) {
  std::vector<const Evaluation*> alive;
  std::set<std::string> seen;
  double least_violation = std::numeric_limits<double>::infinity();
  for (const Evaluation& evaluation : evaluations) {
    if (!evaluation.is_valid() || !seen.insert(evaluation.text).second) continue;
    alive.push_back(&evaluation);
    least_violation = std::min(least_violation, evaluation.violation);
  }
  std::erase_if(alive, [&](const Evaluation* e) { return e->violation > least_violation; });
  // From the best in the first objective on, only earlier ones can dominate later ones, and of
  // those only the ones on the front need asking.
  auto order = alive;
  std::ranges::stable_sort(order, [&](const Evaluation* a, const Evaluation* b) {
    return goodness(a->objectives[0], objectives[0].direction) >
           goodness(b->objectives[0], objectives[0].direction);
  });
  std::vector<const Evaluation*> on_front;
  for (const Evaluation* const candidate : order) {
    const auto beats = [&](const Evaluation* e) { return dominates(*e, *candidate, objectives); };
    if (std::ranges::any_of(on_front, beats)) continue;
    std::erase_if(on_front,
                  [&](const Evaluation* e) { return dominates(*candidate, *e, objectives); });
    on_front.push_back(candidate);
  }
  const std::set<const Evaluation*> chosen(on_front.begin(), on_front.end());
  std::vector<Evaluation> front;
  for (const Evaluation* const candidate : alive)
    if (chosen.contains(candidate)) front.push_back(*candidate);
  return front;
}

std::vector<int> dense_ranks(const std::vector<double>& improvements) {
  std::vector<std::size_t> order(improvements.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return improvements[a] > improvements[b]; });
  std::vector<int> ranks(improvements.size());
  int rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && improvements[order[i]] != improvements[order[i - 1]]) ++rank;
    ranks[order[i]] = rank;
  }
  return ranks;
}

std::size_t best_by_ranks(const std::vector<Evaluation>& evaluations,
                          const std::vector<Objective>& objectives) {
  std::vector<double> rank_sums(evaluations.size());
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    std::vector<double> values;
    values.reserve(evaluations.size());
    for (const Evaluation& evaluation : evaluations)
      values.push_back(goodness(evaluation.objectives[k], objectives[k].direction));
    const auto ranks = dense_ranks(values);
    for (std::size_t i = 0; i < ranks.size(); ++i) rank_sums[i] += objectives[k].weight * ranks[i];
  }
  const auto key = [&](std::size_t i) {
    const Evaluation& evaluation = evaluations[i];
    return std::tuple{!evaluation.is_valid(), evaluation.violation, rank_sums[i]};
  };
  std::size_t best = 0;
  for (std::size_t i = 1; i < evaluations.size(); ++i)
    if (key(i) < key(best)) best = i;
  return best;
}

}  // namespace thimble
