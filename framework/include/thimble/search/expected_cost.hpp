#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/search/witnesses.hpp>

namespace thimble {

/// What a network costs that is drawn uniformly from a state of a supernet, in one metric, by a
/// model: that of a reference network, and for each decision the mean over its alive options of
/// what each adds to it when it alone is changed. Exact for what adds up over decisions, such as
/// MACs; for a peak, such as RAM, an estimate near the reference. An option with which the
/// reference has no cost counts in no mean: what is not known speaks for nothing. const is thread
/// safe.
class THIMBLE_EXPORT ExpectedCost {
 public:
  /// Costs one network for each option alive in `start`. `reference` is a network of that state;
  /// throws Error when its own cost is unknown. `networks` is used here alone.
  ExpectedCost(const std::string& metric, const AliveOptions& start, const Genotype& reference,
               Witnesses& networks);

  /// Of a state within the start.
  double of(const AliveOptions& state) const;
  /// Of networks drawn with these shares of options.
  double of(const OptionNumbers& shares) const;
  /// How that changes with each share, the others being what they are: what is known of the option
  /// less the mean.
  OptionNumbers slope(const OptionNumbers& shares) const;
  /// What the removal of an option saves, as a share of the start's:
  /// (of(state) - of(state without the option)) / of(start).
  double gain(const AliveOptions& state, std::size_t decision, int option) const;

 private:
  double mean(std::size_t decision, std::uint64_t mask) const;
  /// Sums over known options of share x own, and of shares.
  std::pair<double, double> sums(std::size_t decision, const std::vector<double>& shares) const;

  double base_ = 0;
  double start_ = 0;
  std::vector<std::vector<double>> own_;  // by decision and option, against the reference
  AliveOptions known_;                    // the options whose costs are
};

/// An expected cost, and its gradient by the shares of options.
struct CostSlope {
  double cost = 0;
  OptionNumbers by_share;
};

/// What networks cost in the mean, in any metric, that are drawn with these shares: the mean of the
/// models around `references`. Where those are drawn with the same shares, the cost and its
/// gradient are estimates without bias: around a drawn network, what one decision changes is what
/// it changes with the others drawn. Where each decision has a share of 1, it is the exact cost.
THIMBLE_EXPORT CostSlope expected_cost(const std::string& metric, const OptionNumbers& shares,
                                       std::span<const Genotype> references, Witnesses& networks);

}  // namespace thimble
