#pragma once

#include <cstddef>
#include <vector>

#include <thimble/searcher.hpp>

#include "params.hpp"

namespace dnas {

/// What is added to losses for costs near and above the limits.
class Penalty {
 public:
  Penalty(const thimble::Problem& problem, const thimble::Evaluator& evaluator,
          Constraint constraint);

  std::vector<double> multipliers;  ///< of each limit, for `lagrangian`

  /// Adds its gradient by shares; costs are those around networks drawn with them.
  void add_slope(thimble::OptionNumbers& gradient, const thimble::OptionNumbers& shares,
                 const std::vector<thimble::Genotype>& drawn);

 private:
  /// By the use of a limit, cost / limit.
  double slope(std::size_t limit, double use);

  const thimble::Problem& problem_;
  const thimble::Evaluator& evaluator_;
  Constraint constraint_;
};

}  // namespace dnas
