#include "penalty.hpp"

#include <algorithm>

#include <thimble/search/expected_cost.hpp>

namespace dnas {

Penalty::Penalty(const thimble::Problem& problem, const thimble::Evaluator& evaluator,
                 Constraint constraint)
    : multipliers(problem.limits.size()),
      problem_{problem},
      evaluator_{evaluator},
      constraint_{constraint} {}

void Penalty::add_slope(thimble::OptionNumbers& gradient, const thimble::OptionNumbers& shares,
                        const std::vector<thimble::Genotype>& drawn) {
  if (constraint_ == Constraint::masked) return;
  thimble::Witnesses costs{evaluator_, 0};
  for (std::size_t i = 0; i < problem_.limits.size(); ++i) {
    const auto& [metric, most] = problem_.limits[i];
    const auto expected = thimble::expected_cost(metric, shares, drawn, costs);
    const double factor = slope(i, expected.cost / most) / most;
    for (std::size_t d = 0; d < gradient.size(); ++d)
      for (std::size_t k = 0; k < gradient[d].size(); ++k)
        gradient[d][k] += factor * expected.by_share[d][k];
  }
}

double Penalty::slope(std::size_t limit, double use) {
  // As published: 4 where a limit is broken, else 0.002.
  constexpr double kAbove = 4, kBelow = 0.002;
  if (constraint_ == Constraint::soft_log) return (use > 1 ? kAbove : kBelow) / std::max(use, 1e-6);
  constexpr double kRate = 0.02;  // of the dual ascent
  double& multiplier = multipliers[limit];
  return multiplier = std::max(multiplier + kRate * (use - 1), 0.0);
}

}  // namespace dnas
