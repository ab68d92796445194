#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <thimble/core/random.hpp>
#include <thimble/hardware.hpp>
#include <thimble/search/feasible_draws.hpp>
#include <thimble/search/scoring.hpp>
#include <thimble/search_space.hpp>
#include <thimble/searcher.hpp>

namespace thimble {

/// A space with a supernet, and a table by which its networks cost.
struct LimitedCase {
  const char* space;
  const char* parameters;
  const char* hardware;
};
inline constexpr LimitedCase kLimitedCases[]{
    {"time_series_cells", "{}",
     "{board: nucleo_l552zeq, tables: [" THIMBLE_TEST_SOURCE
     "/experiments/micronas_ts/tables/m33.csv], on_miss: fit}"},
    {"nasbench201", "{channels: 4, cells: 1, classes: 4}",
     "{board: nucleo_l552zeq, on_miss: fit}"}};

/// Shares of options that are far from even.
inline OptionNumbers drawn_shares(const std::vector<Decision>& decisions, Random& random) {
  OptionNumbers logits;
  for (const Decision& decision : decisions)
    for (auto& own = logits.emplace_back(decision.options.size()); double& logit : own)
      logit = 2 * random.normal();
  return shares_of(logits, 1);
}

/// A space and hardware by which its networks cost, without a file; limits are known from networks
/// that are drawn.
class Limited {
 public:
  /// Both outlive this.
  Limited(const SearchSpace& space, const Hardware& hardware) {
    setup.space = &space;
    setup.hardware = &hardware;
  }

  /// On latency, RAM and ROM, each at this share of the way, on a logarithmic scale, from the
  /// cheapest of 500 drawn networks to the dearest.
  void limit(double share) {
    if (drawn_.empty()) draw();
    setup.limits.clear();
    for (const char* const metric : {"latency_ms", "ram_bytes", "rom_bytes"}) {
      const auto cost = [&](const Evaluation& network) { return cost_metric(network, metric); };
      const auto [least, most] = std::ranges::minmax_element(drawn_, {}, cost);
      setup.limits.push_back({metric, cost(*least) * std::pow(cost(*most) / cost(*least), share)});
    }
    scoring_.reset();
  }

  /// As `setup` is when it is first asked for.
  Scoring& scoring() const {
    if (!scoring_) scoring_ = std::make_unique<Scoring>(setup);
    return *scoring_;
  }

  /// Refers to this.
  Problem problem() const {
    return {.space = *setup.space,
            .decisions = setup.space->decisions(),
            .objectives = {},
            .limits = setup.limits,
            .seed = setup.seed,
            .budget = {}};
  }

  ScoringSetup setup;

 private:
  void draw() {
    constexpr std::size_t kNetworks = 500;
    const auto decisions = setup.space->decisions();
    for (Random random{1}; drawn_.size() < kNetworks;)
      if (Evaluation one = scoring().cost(random_genotype(decisions, random)); one.is_valid())
        drawn_.push_back(std::move(one));
  }

  mutable std::unique_ptr<Scoring> scoring_;
  std::vector<Evaluation> drawn_;
};

}  // namespace thimble
