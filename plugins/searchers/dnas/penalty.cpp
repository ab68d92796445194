#include "penalty.hpp"

#include <algorithm>

#include <thimble/search/expected_cost.hpp>

namespace dnas {

Penalty::Penalty(const thimble::Problem& problem, const thimble::Evaluator& evaluator,
                 Constraint constraint)
    : problem_{problem},
      evaluator_{evaluator},
      constraint_{constraint},
      duals_(problem.limits.size()) {}

void Penalty::add_slope(thimble::OptionNumbers& gradient, const thimble::OptionNumbers& shares,
                        const std::vector<thimble::Genotype>& drawn) {
  if (constraint_ == Constraint::masked) return;
  thimble::Witnesses costs{evaluator_, 0};
  for (std::size_t i = 0; i < problem_.limits.size(); ++i) {
    const auto& [metric, most] = problem_.limits[i];
    const auto expected = thimble::expected_cost(metric, shares, drawn, costs);
    const double use = expected.cost / most;
    const double factor = slope(duals_[i], use) / most;
    duals_[i].seen += use;
    for (std::size_t d = 0; d < gradient.size(); ++d)
      for (std::size_t k = 0; k < gradient[d].size(); ++k)
        gradient[d][k] += factor * expected.by_share[d][k];
  }
  ++looks_;
}

double Penalty::slope(const Dual& dual, double use) const {
  // As published: 4 where a limit is broken, else 0.002.
  constexpr double kAbove = 4, kBelow = 0.002;
  if (constraint_ == Constraint::soft_log) return (use > 1 ? kAbove : kBelow) / std::max(use, 1e-6);
  return std::max(dual.multiplier + dual.weight * (dual.use - 1), 0.0);
}

void Penalty::end_step() {
  constexpr double kRate = 0.02, kForgotten = 0.1;
  for (Dual& dual : duals_) {
    if (looks_ > 0) dual.use += kForgotten * (dual.seen / looks_ - dual.use);
    dual.multiplier = std::max(dual.multiplier + kRate * (dual.use - 1), 0.0);
    dual.seen = 0;
  }
  looks_ = 0;
}

void Penalty::end_epoch() {
  constexpr int kPatience = 10;
  constexpr double kTolerated = 0.01;
  if (++epochs_ % kPatience != 0) return;
  for (Dual& dual : duals_)
    if (dual.use > 1 + kTolerated) dual.weight *= 2;
}

void Penalty::write(thimble::NamedNumbers& numbers) const {
  auto& all = numbers["duals"] = {static_cast<double>(epochs_)};
  for (const Dual& dual : duals_) all.insert(all.end(), {dual.multiplier, dual.weight, dual.use});
}

void Penalty::read(const thimble::NamedNumbers& numbers) {
  auto next = numbers.at("duals").begin();
  epochs_ = static_cast<int>(*next++);
  for (Dual& dual : duals_) {
    dual.multiplier = *next++;
    dual.weight = *next++;
    dual.use = *next++;
  }
}

}  // namespace dnas
