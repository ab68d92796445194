#include <thimble/search/expected_cost.hpp>

#include <bit>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
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
      costs[static_cast<std::size_t>(option)] = cost - base_;
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
  for (const int option : options_in(known))
    sum += own_[decision][static_cast<std::size_t>(option)];
  return sum / std::popcount(known);
}

}  // namespace thimble
