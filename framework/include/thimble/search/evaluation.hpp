#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/direction.hpp>
#include <thimble/core/export.hpp>
#include <thimble/hardware/hardware.hpp>
#include <thimble/search/aggregate.hpp>
#include <thimble/space/search_space.hpp>

namespace thimble {

inline constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

/// What one proxy said of one candidate.
struct ProxyValue {
  double value = kNotANumber;
  std::vector<double> repeats;
  double seconds = 0;   ///< of processor time, when it was computed
  std::string invalid;  ///< why there is no value, or nothing
  /// Nobody looked, for want of memory: it says nothing of the candidate, and is not stored.
  bool is_left_out = false;
};

/// Everything known of a candidate: what searchers compare and the store keeps.
struct Evaluation {
  std::string text;       ///< the candidate as its search space writes it
  std::string canonical;  ///< the one whose proxies it shares
  Genotype genotype;      ///< empty for a supernet
  std::int64_t macs = 0;
  std::int64_t params = 0;
  bool has_cost = false;
  Cost cost;
  std::vector<ProxyValue> proxies;  ///< in the experiment's order; empty when none was run
  /// In the experiment's order, relative to the population it was last judged in; NaN where
  /// unknown, and empty before it was in one.
  std::vector<double> aggregates;
  std::vector<double> objectives;  ///< in the problem's order; NaN where unknown
  double violation = 0;            ///< sum of relative excesses over the limits; 0: feasible
  std::string invalid;             ///< why it cannot be compared at all, or nothing
  std::string excess;              ///< "rom_bytes 666000 of 524288" for each limit exceeded

  /// Why it is not feasible, or nothing.
  const std::string& reason() const noexcept { return is_valid() ? excess : invalid; }
  bool is_valid() const noexcept { return invalid.empty(); }
  bool is_feasible() const noexcept { return is_valid() && violation <= 0; }
};

/// Something to optimise: a metric with its direction, and how much it counts where a searcher
/// has to weigh. Metrics are the experiment's proxies and aggregates by name, macs, params, and
/// with hardware latency_ms, energy_mj, ram_bytes and rom_bytes.
struct Objective {
  std::string metric;
  Direction direction = Direction::minimize;
  double weight = 1;
};

/// A metric must not exceed this.
struct Limit {
  std::string metric;
  double most = 0;

  bool operator==(const Limit&) const = default;
};

struct Budget {
  std::int64_t evaluations = std::numeric_limits<std::int64_t>::max();
};

/// What a searcher is asked to solve.
struct Problem {
  const SearchSpace& space;
  std::vector<Decision> decisions;
  std::vector<Objective> objectives;
  std::vector<Limit> limits;
  std::uint64_t seed = 0;
  Budget budget;
  std::vector<Aggregate> aggregates{};
};

/// What the values of an evaluation are called, in its order.
struct MetricNames {
  std::vector<std::string> proxies;
  std::vector<std::string> aggregates;
};
/// The value of any metric; NaN when it is unknown.
THIMBLE_EXPORT double metric_of(const Evaluation& evaluation, const std::string& metric,
                                const MetricNames& names);

/// The value with its sign turned so that more is better; unknown is -infinity, the worst.
THIMBLE_EXPORT double goodness(double value, Direction direction);

/// Gives every candidate its aggregates relative to these, the population.
THIMBLE_EXPORT void aggregate(std::span<Evaluation> population,
                              const std::vector<Aggregate>& aggregates, const MetricNames& names);

/// True when `a` is at least as good in every objective and better in one. NaN is worse than all.
THIMBLE_EXPORT bool dominates(const Evaluation& a, const Evaluation& b,
                              const std::vector<Objective>& objectives);

/// The feasible candidates that none dominates, each text once, in their order; when none is
/// feasible, the valid ones with the least violation.
THIMBLE_EXPORT std::vector<Evaluation> pareto_front(const std::vector<Evaluation>& evaluations,
                                                    const std::vector<Objective>& objectives);

/// Dense ranks, 0 for the largest improvement; equal ones rank alike.
THIMBLE_EXPORT std::vector<int> dense_ranks(const std::vector<double>& improvements);

/// The index of the best by weighted sum of ranks over the objectives, feasible before less
/// violating before invalid; ties go to the earlier one. `evaluations` is not empty.
THIMBLE_EXPORT std::size_t best_by_ranks(const std::vector<Evaluation>& evaluations,
                                         const std::vector<Objective>& objectives);

}  // namespace thimble
