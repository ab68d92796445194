// Random search: different networks drawn uniformly, those beyond a limit drawn again before any
// proxy runs. The baseline that every other searcher has to beat at equal evaluations.

#include <algorithm>
#include <optional>
#include <set>

#include <thimble/core/text.hpp>
#include <thimble/search/feasible_draws.hpp>
#include <thimble/searcher.hpp>

namespace {

using thimble::Evaluation;
using thimble::FeasibleDraws;
using thimble::Genotype;

class RandomSearch final : public thimble::Searcher {
 public:
  struct Params {
    std::int64_t samples = 100;
    bool trained = false;
    std::optional<double> validation;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::samples, "samples", "networks to score").range(1, 10'000'000);
      param(&Params::trained, "trained",
            "train each, and take the best on samples that none learned from, not by objectives");
      param(&Params::validation, "validation",
            "then the share of the training part that is set aside for that, whole groups of it; a "
            "fifth when left out")
          .range(0.01, 0.9);
    }
  };

  explicit RandomSearch(const Params& params) : params_{params} {}

  bool needs_supernet() const override { return params_.trained; }
  bool needs_relaxation() const override { return params_.trained; }

  std::optional<std::int64_t> expected_evaluations(const thimble::Problem& problem) const override {
    const auto size = thimble::space_size(problem.decisions);
    const auto most = std::min(params_.samples, problem.budget.evaluations);
    return size ? std::min(most, static_cast<std::int64_t>(*size)) : most;
  }

  thimble::SearchResult search(const thimble::Problem& problem,
                               thimble::Evaluator& evaluator) const override {
    if (params_.trained) return best_trained(problem, evaluator);
    const std::int64_t wanted = *expected_evaluations(problem);
    std::optional<Evaluation> nearest;
    std::string why_invalid;
    const auto genotypes = draw(problem, evaluator, wanted, nearest, why_invalid);
    evaluator.expect(static_cast<std::int64_t>(genotypes.size()));
    auto result = thimble::summarize(evaluator.evaluate(genotypes), problem);
    if (genotypes.empty() && nearest) result = thimble::summarize({*nearest}, problem);
    if (params_.validation)
      result.remarks.emplace_back("'validation' changes nothing: it is for trained: true");
    if (static_cast<std::int64_t>(genotypes.size()) < wanted)
      result.remarks.push_back(
          std::string{"found "} +
          (genotypes.empty() ? "none" : "only " + std::to_string(genotypes.size())) + " of " +
          thimble::count_text(wanted, "network") + " within the limits" +
          (why_invalid.empty() ? "" : "; one is invalid: " + why_invalid));
    return result;
  }

 private:
  /// Goes on where an earlier process stopped.
  thimble::SearchResult best_trained(const thimble::Problem& problem,
                                     thimble::Evaluator& evaluator) const {
    FeasibleDraws feasible{problem, evaluator};
    if (!feasible.root().is_feasible()) return thimble::summarize({feasible.root()}, problem);
    const auto networks = drawn_within(problem, feasible);
    evaluator.expect(std::ssize(networks));
    const auto weights =
        evaluator.relaxation({.epochs = 1, .validation = params_.validation.value_or(0.2)});
    std::vector<double> metrics;
    if (const auto kept = weights->kept()) metrics = kept->at("metrics");
    while (metrics.size() < networks.size()) {
      metrics.push_back(weights->validate_alone(networks[metrics.size()]));
      weights->keep({{"metrics", metrics}});
    }
    const auto best = std::ranges::max_element(metrics);
    const std::vector<Genotype> found{networks[static_cast<std::size_t>(best - metrics.begin())]};
    thimble::SearchResult result;
    result.front = evaluator.evaluate(found);
    result.best = result.front.front();
    result.remarks.push_back("of " + thimble::count_text(std::ssize(metrics), "trained network") +
                             ", the best has " + thimble::decimals(*best, 2) +
                             " (the first metric of the task) on samples set aside");
    return result;
  }

  /// Different ones. Where few networks keep the limits, drawing until one does would take for
  /// ever.
  std::vector<Genotype> drawn_within(const thimble::Problem& problem,
                                     FeasibleDraws& feasible) const {
    thimble::OptionNumbers logits;
    for (const auto& decision : problem.decisions) logits.emplace_back(decision.options.size());
    const auto uniform = thimble::shares_of(logits, 1);
    auto random = thimble::Random::stream(problem.seed, {"random search"});
    std::vector<Genotype> drawn;
    std::set<Genotype> seen;
    const std::int64_t wanted = *expected_evaluations(problem);
    for (std::int64_t i = 0; i < 20 * wanted && std::ssize(drawn) < wanted; ++i) {
      const Genotype genotype = feasible.draw(uniform, random).genotype;
      if (seen.insert(problem.space.canonical(genotype)).second)
        drawn.push_back(feasible.plain(genotype).genotype);
    }
    return drawn;
  }

  /// Different feasible networks; `nearest` becomes the least violating of the others, and
  /// `why_invalid` what is wrong with the first that is invalid.
  static std::vector<Genotype> draw(const thimble::Problem& problem,
                                    const thimble::Evaluator& evaluator, std::int64_t wanted,
                                    std::optional<Evaluation>& nearest, std::string& why_invalid) {
    thimble::Random random = thimble::Random::stream(problem.seed, {"random search"});
    std::vector<Genotype> drawn;
    std::set<std::string> seen;
    std::int64_t misses = 0;
    const std::int64_t most_misses = 1000 + 20 * wanted;
    // More than half of a space is had sooner by going through all of it in random order.
    const auto size = thimble::space_size(problem.decisions);
    std::vector<std::int64_t> order;
    if (size && static_cast<std::int64_t>(*size) < 2 * wanted)
      order = random.sample(static_cast<std::int64_t>(*size), static_cast<std::int64_t>(*size));
    for (std::size_t i = 0; static_cast<std::int64_t>(drawn.size()) < wanted; ++i) {
      if (order.empty() ? misses >= most_misses : i == order.size()) break;
      Genotype genotype =
          order.empty()
              ? thimble::random_genotype(problem.decisions, random)
              : thimble::genotype_at(problem.decisions, static_cast<std::uint64_t>(order[i]));
      Evaluation cost = evaluator.cost(genotype);
      if (!seen.insert(cost.text).second) {
        ++misses;
      } else if (cost.is_feasible()) {
        drawn.push_back(std::move(genotype));
      } else {
        ++misses;
        if (why_invalid.empty()) why_invalid = cost.invalid;
        if (cost.is_valid() && (!nearest || cost.violation < nearest->violation))
          nearest = std::move(cost);
      }
    }
    return drawn;
  }

  Params params_;
};

}  // namespace

THIMBLE_PLUGIN("random", "1.0.0") {
  plugin.provides<RandomSearch>("networks drawn uniformly, within the limits");
}
