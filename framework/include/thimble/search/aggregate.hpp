#pragma once

#include <string>
#include <utility>
#include <vector>

#include <thimble/core/direction.hpp>
#include <thimble/core/export.hpp>

namespace thimble {

/// How the metrics of a candidate become one number, by how they rank it in a population. More is
/// better in all of them. Ranks ascend from 1, the worst, to N, the best; equal values share the
/// mean of their ranks.
enum class AggregateKind {
  rank_sum,      ///< sum of ranks (TE-NAS, arXiv 2102.11535)
  log_rank_sum,  ///< sum of log(rank / N): a bad rank costs more (AZ-NAS, arXiv 2403.19232)
  vote,          ///< candidates that more metrics put below it than above (arXiv 2101.08134)
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, AggregateKind>>& names_of(AggregateKind);

/// A metric and which way is better.
struct DirectedMetric {
  std::string metric;
  Direction direction = Direction::minimize;
  bool operator==(const DirectedMetric&) const = default;
};

/// A metric made of others. It exists only relative to a population.
struct Aggregate {
  std::string name;
  AggregateKind kind = AggregateKind::rank_sum;
  std::vector<DirectedMetric> of;
};

/// The value of every candidate of a population. members[m][i] is how good member m finds
/// candidate i: more is better, -infinity: it does not know. A candidate that one member does not
/// know ranks last in all of them, and its value is -infinity.
THIMBLE_EXPORT std::vector<double> combine(AggregateKind kind,
                                           std::vector<std::vector<double>> members);

}  // namespace thimble
