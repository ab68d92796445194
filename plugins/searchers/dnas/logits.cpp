#include "logits.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

namespace dnas {

using thimble::OptionNumbers;

namespace {

std::vector<double> flat(const OptionNumbers& numbers) {
  std::vector<double> made;
  for (const auto& own : numbers) made.insert(made.end(), own.begin(), own.end());
  return made;
}

void take(OptionNumbers& into, const std::vector<double>& from) {
  auto next = from.begin();
  for (auto& own : into)
    for (double& value : own) value = *next++;
}

}  // namespace

OptionNumbers zeros_like(const OptionNumbers& numbers) {
  OptionNumbers made;
  for (const auto& own : numbers) made.emplace_back(own.size());
  return made;
}

void add(OptionNumbers& to, const OptionNumbers& more) {
  for (std::size_t i = 0; i < to.size(); ++i)
    std::ranges::transform(to[i], more[i], to[i].begin(), std::plus{});
}

double entropy_of(const OptionNumbers& shares) {
  double sum = 0;
  int open = 0;
  for (const auto& own : shares) {
    if (own.size() < 2) continue;
    ++open;
    for (const double share : own)
      if (share > 0) sum -= share * std::log(share) / std::log(static_cast<double>(own.size()));
  }
  return open == 0 ? 0 : sum / open;
}

Logits::Logits(const thimble::Problem& problem, const Params& params) : params_{params} {
  for (const thimble::Decision& decision : problem.decisions)
    values_.emplace_back(decision.options.size());
  first_ = second_ = values_;
}

void Logits::descend(const OptionNumbers& gradient, double done) {
  if (params_.optimiser == LogitOptimiser::adam) return descend_by_adam(gradient);
  constexpr double kLast = 8e-4 / 0.36;  // as published
  const double fall = kLast + (1 - kLast) * (1 + std::cos(std::numbers::pi * done)) / 2;
  for (std::size_t i = 0; i < values_.size(); ++i)
    for (std::size_t k = 0; k < values_[i].size(); ++k)
      values_[i][k] -= params_.learning_rate * fall * gradient[i][k];
}

void Logits::descend_by_adam(const OptionNumbers& gradient) {
  constexpr double kFirst = 0.5, kSecond = 0.999, kEpsilon = 1e-8;
  ++steps_;
  for (std::size_t i = 0; i < values_.size(); ++i)
    for (std::size_t k = 0; k < values_[i].size(); ++k) {
      const double slope = gradient[i][k];
      first_[i][k] = kFirst * first_[i][k] + (1 - kFirst) * slope;
      second_[i][k] = kSecond * second_[i][k] + (1 - kSecond) * slope * slope;
      const double first = first_[i][k] / (1 - std::pow(kFirst, steps_));
      const double second = second_[i][k] / (1 - std::pow(kSecond, steps_));
      values_[i][k] -= params_.learning_rate * first / (std::sqrt(second) + kEpsilon);
    }
}

void Logits::write(thimble::NamedNumbers& numbers) const {
  numbers["logits"] = flat(values_);
  numbers["first_moment"] = flat(first_);
  numbers["second_moment"] = flat(second_);
  numbers["steps"] = {steps_};
}

void Logits::read(const thimble::NamedNumbers& numbers) {
  take(values_, numbers.at("logits"));
  take(first_, numbers.at("first_moment"));
  take(second_, numbers.at("second_moment"));
  steps_ = numbers.at("steps").at(0);
}

}  // namespace dnas
