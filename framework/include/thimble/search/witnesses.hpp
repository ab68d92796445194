#pragma once

#include <cstdint>
#include <map>

#include <thimble/core/export.hpp>
#include <thimble/search/searcher.hpp>

namespace thimble {

/// How many networks a state holds; a double, because they may be very many.
THIMBLE_EXPORT double networks_in(const AliveOptions& alive);

/// Looks for networks within a state of a supernet that keep the limits: what makes limits hard
/// where a search sees no single network for most of its time. Counts and costs only; each network
/// is looked at once. Used by one thread at a time.
class THIMBLE_EXPORT Witnesses {
 public:
  /// `evaluator` outlives it. `most`: states of at most so many networks are searched whole.
  Witnesses(const Evaluator& evaluator, std::int64_t most) : evaluator_{evaluator}, most_{most} {}

  /// A network of the state that keeps all limits, or the least violating one seen; the state has
  /// an option for each decision. That none keeps them is proved where the state is searched whole;
  /// else it is the end of a coordinate descent. The reference stays valid.
  const Evaluation& best_in(const AliveOptions& alive);

  /// Counts, cost and feasibility of a network. The reference stays valid.
  const Evaluation& cost(const Genotype& genotype);

 private:
  const Evaluation* descend(const AliveOptions& alive, const Evaluation* best);
  const Evaluation* enumerate(const AliveOptions& alive, const Evaluation* best);

  const Evaluator& evaluator_;
  std::int64_t most_;
  std::map<Genotype, Evaluation> known_;  // addresses stay
};

}  // namespace thimble
