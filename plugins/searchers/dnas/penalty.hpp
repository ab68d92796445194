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

  /// Adds its gradient by shares; costs are those around networks drawn with them.
  void add_slope(thimble::OptionNumbers& gradient, const thimble::OptionNumbers& shares,
                 const std::vector<thimble::Genotype>& drawn);
  /// Behind a step of logits and an epoch of them: what `lagrangian` learns of its limits.
  void end_step();
  void end_epoch();

  void write(thimble::NamedNumbers& numbers) const;
  void read(const thimble::NamedNumbers& numbers);

 private:
  /// What has a multiplier.
  struct Dual {
    double multiplier = 0;
    double weight = 1;  ///< of the square of what is above the limit
    double use = 1;     ///< cost / limit, a mean that forgets
    double seen = 0;    ///< sum of uses in this step
  };

  /// By the use of a limit, cost / limit.
  double slope(const Dual& dual, double use) const;

  const thimble::Problem& problem_;
  const thimble::Evaluator& evaluator_;
  Constraint constraint_;
  std::vector<Dual> duals_;  ///< of each limit
  int looks_ = 0;            ///< in this step
  int epochs_ = 0;
};

}  // namespace dnas
