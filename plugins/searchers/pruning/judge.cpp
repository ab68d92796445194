#include "judge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <thimble/core/ranks.hpp>

namespace pruning {
namespace {

using thimble::Aggregate;
using thimble::AliveOptions;
using thimble::DirectedMetric;
using thimble::Direction;
using thimble::Evaluation;
using thimble::ExpectedCost;
using thimble::Objective;
using thimble::without;

constexpr double kWorst = -std::numeric_limits<double>::infinity();

/// To so many significant digits, as TE-NAS sorts.
double rounded(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, digits - 1 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

/// Ranks as TE-NAS's code gives them: sorted by the gain rounded to three significant digits,
/// ties in the order of decisions and options; neighbours share a rank when their unrounded gains
/// are equal.
std::vector<double> ranks_of(const std::vector<double>& gains) {
  std::vector<std::size_t> order(gains.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return rounded(gains[a], 3) > rounded(gains[b], 3);
  });
  std::vector<double> ranks(gains.size());
  double rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && gains[order[i]] != gains[order[i - 1]]) ++rank;
    ranks[order[i]] = rank;
  }
  return ranks;
}

/// Ranks of gains in a cost. Many are equal, because edges alike cost alike: they share the mean of
/// their ranks, so that a cost's ranks are spread as widely as a score's and weights mean the same.
std::vector<double> cost_ranks_of(const std::vector<double>& gains) {
  std::vector<double> losses;
  for (const double gain : gains) losses.push_back(-rounded(gain, 3));
  return thimble::mid_ranks(losses);
}

double mean_gain(const thimble::ProxyValue& full, const thimble::ProxyValue& rest,
                 Direction direction) {
  if (!full.invalid.empty() || !rest.invalid.empty()) return kWorst;
  double sum = 0;
  for (std::size_t r = 0; r < full.repeats.size(); ++r) {
    const double change = (rest.repeats[r] - full.repeats[r]) / std::abs(full.repeats[r]);
    // To three decimals, as TE-NAS rounds each repeat's change.
    sum += std::round(change * 1000) / 1000;
  }
  const double mean = sum / static_cast<double>(full.repeats.size());
  if (std::isnan(mean)) return kWorst;
  return direction == Direction::maximize ? mean : -mean;
}

}  // namespace

Judge::Judge(const thimble::Problem& problem, thimble::Evaluator& evaluator,
             thimble::Witnesses& networks, bool by_score, AliveOptions start,
             thimble::Genotype witness)
    : problem_{problem},
      evaluator_{evaluator},
      networks_{networks},
      by_score_{by_score},
      start_{std::move(start)},
      witness_{std::move(witness)} {}

std::vector<double> Judge::sums(const AliveOptions& state, const std::vector<Removal>& removals,
                                double cost_factor) {
  std::vector<AliveOptions> states{state};
  for (const auto& [decision, option] : removals)
    states.push_back(without(state, decision, option));
  const auto seen = evaluator_.evaluate_supernets(states);
  std::vector<double> sums(removals.size());
  for (const Objective& objective : problem_.objectives) {
    const bool is_cost = thimble::is_cost_metric(objective.metric);
    const double weight = objective.weight * (is_cost ? cost_factor : 1);
    if (weight == 0) continue;
    const auto gains = gains_in(objective.metric, objective.direction, state, removals, seen);
    const auto ranks = by_score_ ? std::vector<double>{}
                       : is_cost ? cost_ranks_of(gains)
                                 : ranks_of(gains);
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += weight * (by_score_ ? -gains[i] : ranks[i]);
  }
  return sums;
}

/// What each removal gains in a metric; the first of `seen` is the present state.
std::vector<double> Judge::gains_in(const std::string& metric, Direction direction,
                                    const AliveOptions& state, const std::vector<Removal>& removals,
                                    const std::vector<Evaluation>& seen) {
  const auto made = std::ranges::find(problem_.aggregates, metric, &Aggregate::name);
  if (made == problem_.aggregates.end())
    return thimble::is_cost_metric(metric) ? cost_gains(metric, direction, state, removals)
                                           : proxy_gains(metric, direction, seen);
  std::vector<std::vector<double>> members;
  for (const DirectedMetric& member : made->of)
    members.push_back(gains_in(member.metric, member.direction, state, removals, seen));
  auto gains = thimble::combine(made->kind, std::move(members));
  if (direction == Direction::minimize)
    for (double& gain : gains)
      if (gain != kWorst) gain = -gain;
  return gains;
}

std::vector<double> Judge::cost_gains(const std::string& metric, Direction direction,
                                      const AliveOptions& state,
                                      const std::vector<Removal>& removals) {
  // Costs are taken once, in the state in which the run began.
  auto place = costs_.find(metric);
  if (place == costs_.end())
    place = costs_.emplace(metric, ExpectedCost{metric, start_, witness_, networks_}).first;
  std::vector<double> gains;
  for (const auto& [decision, option] : removals) {
    const double saved = place->second.gain(state, decision, option);
    gains.push_back(direction == Direction::minimize ? saved : -saved);
  }
  return gains;
}

/// From the first evaluation, of the present state, to each of the others.
std::vector<double> Judge::proxy_gains(const std::string& metric, Direction direction,
                                       const std::vector<Evaluation>& seen) const {
  std::vector<double> gains;
  const auto* const full = evaluator_.proxy(seen[0], metric);
  for (std::size_t i = 1; i < seen.size(); ++i) {
    const auto* const rest = evaluator_.proxy(seen[i], metric);
    gains.push_back(mean_gain(*full, *rest, direction));
  }
  return gains;
}

}  // namespace pruning
