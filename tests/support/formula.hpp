#pragma once

// Searches without networks: decisions of which a formula says what they are worth.

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/search/searcher.hpp>

namespace thimble::testing {

/// Decisions without networks.
class Decisions final : public SearchSpace {
 public:
  explicit Decisions(std::vector<Decision> decisions) : decisions_{std::move(decisions)} {}
  std::vector<Decision> decisions() const override { return decisions_; }

 private:
  std::vector<Decision> decisions_;
};

/// Answers by formula, and sees to it that only what is new and feasible is scored.
class Formula final : public Evaluator {
 public:
  using Objectives = std::function<std::vector<double>(const Genotype&)>;
  using Violation = std::function<double(const Genotype&)>;

  Formula(
      const SearchSpace& space, Objectives objectives,
      Violation violation = [](const Genotype&) { return 0.0; })
      : space_{space}, objectives_{std::move(objectives)}, violation_{std::move(violation)} {}

  std::vector<Evaluation> evaluate(std::span<const Genotype> genotypes) override {
    std::vector<Evaluation> evaluations;
    for (const Genotype& genotype : genotypes) {
      Evaluation& evaluation = evaluations.emplace_back(cost(genotype));
      EXPECT_TRUE(evaluation.is_feasible()) << evaluation.text << " runs proxies for nothing";
      EXPECT_TRUE(scored.insert(evaluation.text).second) << evaluation.text << " comes twice";
      evaluation.objectives = objectives_(genotype);
      genotypes_.push_back(genotype);
    }
    batches.push_back(genotypes.size());
    return evaluations;
  }
  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions>) override { return {}; }
  Evaluation cost(const Genotype& genotype) const override {
    Evaluation evaluation;
    evaluation.genotype = genotype;
    evaluation.text = space_.encode(genotype);
    evaluation.violation = violation_(genotype);
    evaluation.objectives.assign(2, kNotANumber);
    least_violation = std::min(least_violation, evaluation.violation);
    return evaluation;
  }
  const ProxyValue* proxy(const Evaluation&, std::string_view) const override { return nullptr; }
  void judge_together(std::span<Evaluation> population) const override {
    judged.push_back(population.size());
  }
  void log(const std::string& line) override { lines.push_back(line); }
  void expect(std::int64_t) override {}

  const std::vector<Genotype>& genotypes() const { return genotypes_; }

  std::set<std::string> scored;
  std::vector<std::size_t> batches;
  std::vector<std::string> lines;
  mutable std::vector<std::size_t> judged;
  mutable double least_violation = INFINITY;

 private:
  const SearchSpace& space_;
  Objectives objectives_;
  Violation violation_;
  std::vector<Genotype> genotypes_;
};

inline std::vector<Decision> continuous(std::size_t count) {
  std::vector<Decision> decisions;
  for (std::size_t i = 0; i < count; ++i)
    decisions.push_back({"x" + std::to_string(i), Decision::Type::continuous, {}, 0, 1});
  return decisions;
}

inline std::vector<Decision> categorical(std::size_t count) {
  std::vector<Decision> decisions;
  for (std::size_t i = 0; i < count; ++i)
    decisions.push_back(
        {"d" + std::to_string(i), Decision::Type::categorical, {"a", "b", "c", "d", "e"}, 0, 0});
  return decisions;
}

inline Problem problem(const SearchSpace& space, std::uint64_t seed = 1) {
  return {space,
          space.decisions(),
          {{"f", Direction::minimize, 1}, {"g", Direction::minimize, 1}},
          {},
          seed,
          {}};
}

inline double sum(const Genotype& genotype) {
  double total = 0;
  for (const double value : genotype) total += value;
  return total;
}

/// Two objectives, and a limit: the options' places add up to `most` at most.
inline Formula with_sum_up_to(double most, const SearchSpace& space) {
  return {space,
          [](const Genotype& x) {
            return std::vector<double>{sum(x), -x[0]};
          },
          [most](const Genotype& x) { return std::max(0.0, sum(x) / most - 1); }};
}

}  // namespace thimble::testing
