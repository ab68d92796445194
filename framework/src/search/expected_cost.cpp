#include <thimble/search/expected_cost.hpp>

#include <bit>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/graph/transforms.hpp>

namespace thimble {

ExpectedCost::ExpectedCost(const std::string& metric, const AliveOptions& start,
                           const Genotype& reference, Witnesses& networks)
    : base_{cost_metric(networks.cost(reference), metric)}, known_(start.size()) {
  if (std::isnan(base_))
    throw Error{fmt::format("{} of {} is unknown, to which others were to be compared", metric,
                            networks.cost(reference).text)};
  for (std::size_t i = 0; i < start.size(); ++i) {
    auto& costs = own_.emplace_back(64, 0.0);
    for (const int option : options_in(start[i])) {
      Genotype changed = reference;
      changed[i] = option;
      const double cost = cost_metric(networks.cost(changed), metric);
      if (std::isnan(cost)) continue;
      costs[at(option)] = cost - base_;
      known_[i] |= std::uint64_t{1} << option;
    }
  }
  start_ = of(start);
}

double ExpectedCost::of(const AliveOptions& state) const {
  double sum = base_;
  for (std::size_t i = 0; i < state.size(); ++i) sum += mean(i, state[i]);
  return sum;
}

double ExpectedCost::of(const OptionNumbers& shares) const {
  double sum = base_;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const auto [costs, known] = sums(i, shares[i]);
    if (known > 0) sum += costs / known;
  }
  return sum;
}

OptionNumbers ExpectedCost::slope(const OptionNumbers& shares) const {
  OptionNumbers made;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    auto& own = made.emplace_back(shares[i].size());
    const auto [costs, known] = sums(i, shares[i]);
    if (known <= 0) continue;
    for (const int option : options_in(known_[i]))
      own[at(option)] = (own_[i][at(option)] - costs / known) / known;
  }
  return made;
}

std::pair<double, double> ExpectedCost::sums(std::size_t decision,
                                             const std::vector<double>& shares) const {
  double costs = 0, known = 0;
  for (const int option : options_in(known_[decision])) {
    costs += shares[at(option)] * own_[decision][at(option)];
    known += shares[at(option)];
  }
  return {costs, known};
}

double ExpectedCost::gain(const AliveOptions& state, std::size_t decision, int option) const {
  const std::uint64_t all = state[decision];
  const std::uint64_t rest = without(state, decision, option)[decision];
  if ((rest & known_[decision]) == 0) return 0;
  const double saved = mean(decision, all) - mean(decision, rest);
  return start_ != 0 ? saved / start_ : saved;
}

double ExpectedCost::mean(std::size_t decision, std::uint64_t mask) const {
  const std::uint64_t known = mask & known_[decision];
  if (known == 0) return 0;
  double sum = 0;
  for (const int option : options_in(known)) sum += own_[decision][at(option)];
  return sum / std::popcount(known);
}

CostSlope expected_cost(const std::string& metric, const OptionNumbers& shares,
                        std::span<const Genotype> references, Witnesses& networks) {
  AliveOptions all;
  for (const auto& own : shares) all.push_back(own.size() < 64 ? (1ULL << own.size()) - 1 : ~0ULL);
  CostSlope mean{.cost = 0, .by_share = {}};
  for (const auto& own : shares) mean.by_share.emplace_back(own.size());
  const auto count = static_cast<double>(references.size());
  for (const Genotype& reference : references) {
    const ExpectedCost around{metric, all, reference, networks};
    mean.cost += around.of(shares) / count;
    const OptionNumbers slope = around.slope(shares);
    for (std::size_t i = 0; i < slope.size(); ++i)
      for (std::size_t k = 0; k < slope[i].size(); ++k) mean.by_share[i][k] += slope[i][k] / count;
  }
  return mean;
}

}  // namespace thimble
