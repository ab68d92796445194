#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/search/cost_metrics.hpp>
#include <thimble/search/searcher.hpp>

/// A space of choices whose networks cost what a table says: no graph is ever built.
namespace thimble {

class PricedSpace final : public SearchSpace {
 public:
  /// For each decision, what each of its options costs.
  using Prices = std::vector<std::vector<double>>;
  explicit PricedSpace(Prices by_option) : prices{std::move(by_option)} {}

  std::vector<Decision> decisions() const override {
    std::vector<Decision> all;
    for (std::size_t i = 0; i < prices.size(); ++i) {
      Decision decision;
      decision.name = "d" + std::to_string(i);
      for (std::size_t k = 0; k < prices[i].size(); ++k)
        decision.options.push_back(std::to_string(k));
      all.push_back(std::move(decision));
    }
    return all;
  }
  Graph build(const Genotype&) const override { throw Error{"there are only prices"}; }

  double price(const Genotype& genotype) const {
    double sum = 0;
    for (std::size_t i = 0; i < genotype.size(); ++i)
      sum += prices[i][static_cast<std::size_t>(genotype[i])];
    return sum;
  }

  Prices prices;
};

/// Costs only; the price is in milliseconds.
class Pricing : public Evaluator {
 public:
  explicit Pricing(const PricedSpace& space, std::vector<Limit> limits)
      : space_{space}, limits_{std::move(limits)} {}

  Problem problem(std::uint64_t seed = 1) const {
    return {.space = space_,
            .decisions = space_.decisions(),
            .objectives = {},
            .limits = limits_,
            .seed = seed,
            .budget = {}};
  }

  Evaluation cost(const Genotype& genotype) const override {
    ++asked;
    Evaluation made;
    made.genotype = genotype;
    made.text = made.canonical = space_.encode(genotype);
    made.has_cost = true;
    made.cost.latency_ms.value = space_.price(genotype);
    for (const Limit& limit : limits_)
      made.violation += std::max(0.0, cost_metric(made, limit.metric) / limit.most - 1);
    return made;
  }
  std::vector<Evaluation> evaluate(std::span<const Genotype> genotypes) override {
    std::vector<Evaluation> all;
    for (const Genotype& genotype : genotypes) all.push_back(cost(genotype));
    return all;
  }
  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions>) override { return {}; }
  const ProxyValue* proxy(const Evaluation&, std::string_view) const override { return nullptr; }
  void log(const std::string&) override {}
  void expect(std::int64_t) override {}

  mutable int asked = 0;

 protected:
  const PricedSpace& space_;
  std::vector<Limit> limits_;
};

}  // namespace thimble
