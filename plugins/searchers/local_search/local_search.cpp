// Local search: White, Nolen and Savani, "Exploring the loss landscape in neural architecture
// search", UAI 2021 (arXiv 2005.02960).
//
// From a random network, all neighbours (one decision changed) are looked at, and the best of them
// is the next one, until none is better; then it begins anew from another random network. What is
// best is a weighed sum of ranks among the network and its neighbours.

#include <algorithm>

#include <thimble/search/prospector.hpp>
#include <thimble/searcher.hpp>

namespace {

using thimble::Decision;
using thimble::Evaluation;
using thimble::Evaluator;
using thimble::Genotype;
using thimble::Problem;
using thimble::Prospector;
using thimble::Random;

struct Params {
  std::int64_t evaluations = 500;
  double step = 0.1;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Params::evaluations, "evaluations", "networks to score").range(1, 10'000'000);
    param(&Params::step, "step", "how far a continuous decision moves, as a part of its range")
        .range(0.0001, 1);
  }
};

/// The values next to this one: every other option, one integer less or more, one step less or
/// more.
std::vector<double> values_near(double value, const Decision& decision, double step) {
  std::vector<double> values;
  if (decision.type == Decision::Type::categorical) {
    for (std::size_t option = 0; option < decision.options.size(); ++option)
      values.push_back(static_cast<double>(option));
  } else {
    const double wanted = step * (decision.most - decision.least);
    const double away = decision.type == Decision::Type::integer ? 1
                        : decision.is_dense()                    ? wanted
                                              : std::max(wanted, 1.0 / decision.resolution);
    values = {decision.nearest(value - away), decision.nearest(value + away)};
  }
  std::erase(values, value);
  return values;
}

std::vector<Genotype> neighbours(const Genotype& genotype, const Problem& problem, double step) {
  std::vector<Genotype> all;
  for (std::size_t i = 0; i < genotype.size(); ++i) {
    for (const double value : values_near(genotype[i], problem.decisions[i], step)) {
      all.push_back(genotype);
      all.back()[i] = value;
    }
  }
  return all;
}

class LocalSearch final : public thimble::ProspectingSearcher<Params> {
 public:
  using ProspectingSearcher::ProspectingSearcher;

 private:
  void prospect(const Problem& problem, Evaluator& evaluator,
                Prospector& prospector) const override {
    Random random = Random::stream(problem.seed, {"local search"});
    while (prospector.may_go_on()) {
      const auto start = prospector.look_at(
          1, [&](int) { return thimble::random_genotype(problem.decisions, random); });
      if (!start.empty()) climb(start.front(), problem, evaluator, prospector);
    }
  }

  /// Until no neighbour is better. Those that were looked at before are not: they led elsewhere.
  void climb(Evaluation present, const Problem& problem, Evaluator& evaluator,
             Prospector& prospector) const {
    while (prospector.may_go_on()) {
      const auto near = neighbours(present.genotype, problem, params().step);
      auto next = near.begin();
      auto compared = prospector.look_at(std::ssize(near), [&](int) {
        return next != near.end() ? std::optional{*next++} : std::nullopt;
      });
      compared.insert(compared.begin(), present);
      evaluator.judge_together(compared);
      const std::size_t best = thimble::best_by_ranks(compared, problem.objectives);
      if (best == 0) return;  // ties go to the earlier one: it stays
      present = std::move(compared[best]);
    }
  }
};

}  // namespace

THIMBLE_PLUGIN("local_search", "1.0.0") {
  plugin.provides<LocalSearch>("steepest ascent from random networks");
}
