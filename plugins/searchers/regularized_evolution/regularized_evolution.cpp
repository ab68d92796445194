// Regularized evolution: Real, Aggarwal, Huang and Le, "Regularized evolution for image classifier
// architecture search", AAAI 2019 (arXiv 1802.01548).
//
// The population is a queue. Each step draws `sample` networks of it with replacement, takes the
// best of them, changes one of its decisions, and appends the child; then the oldest goes, however
// good it was. What is best is a weighed sum of ranks within the sample: the paper has one
// objective, for which that is the best by it.

#include <algorithm>
#include <deque>

#include <thimble/search/prospector.hpp>
#include <thimble/searcher.hpp>

namespace {

using thimble::Evaluation;
using thimble::Evaluator;
using thimble::Genotype;
using thimble::Problem;
using thimble::Prospector;
using thimble::Random;

struct Params {
  std::int64_t evaluations = 500;
  std::int64_t population = 50;
  std::int64_t sample = 10;
  std::int64_t children = 8;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Params::evaluations, "evaluations", "networks to score").range(1, 10'000'000);
    param(&Params::population, "population", "networks that are alive").range(1, 100'000);
    param(&Params::sample, "sample", "networks among which a parent is the best").range(1, 100'000);
    param(&Params::children, "children",
          "networks that are made, and scored side by side, before the oldest go")
        .range(1, 100'000);
  }
};

class Search {
 public:
  Search(const Params& params, const Problem& problem, Evaluator& evaluator, Prospector& prospector)
      : params_{params},
        problem_{problem},
        evaluator_{evaluator},
        prospector_{prospector},
        random_{Random::stream(problem.seed, {"regularized evolution"})} {}

  void run() {
    append(prospector_.look_at(params_.population, [&](int) { return random_genotype(); }));
    while (prospector_.may_go_on())
      append(prospector_.look_at(params_.children, [&](int misses) {
        return misses < kTries && !queue_.empty() ? mutated(parent()) : random_genotype();
      }));
  }

 private:
  static constexpr int kTries = 50;  ///< to make a child that is new and keeps the limits

  Genotype random_genotype() { return thimble::random_genotype(problem_.decisions, random_); }

  void append(std::vector<Evaluation> networks) {
    std::ranges::move(networks, std::back_inserter(queue_));
    while (std::ssize(queue_) > params_.population) queue_.pop_front();
  }

  Genotype parent() {
    std::vector<Evaluation> sample;
    for (std::int64_t i = 0; i < params_.sample; ++i)
      sample.push_back(queue_[random_.below(queue_.size())]);
    evaluator_.judge_together(sample);
    return sample[thimble::best_by_ranks(sample, problem_.objectives)].genotype;
  }

  /// With one decision drawn anew.
  Genotype mutated(Genotype genotype) {
    const std::size_t place = random_.below(genotype.size());
    genotype[place] = random_genotype()[place];
    return genotype;
  }

  const Params& params_;
  const Problem& problem_;
  Evaluator& evaluator_;
  Prospector& prospector_;
  Random random_;
  std::deque<Evaluation> queue_;
};

class RegularizedEvolution final : public thimble::ProspectingSearcher<Params> {
 public:
  using ProspectingSearcher::ProspectingSearcher;

 private:
  void prospect(const Problem& problem, Evaluator& evaluator,
                Prospector& prospector) const override {
    Search{params(), problem, evaluator, prospector}.run();
  }
};

}  // namespace

THIMBLE_PLUGIN("regularized_evolution", "1.0.0") {
  plugin.provides<RegularizedEvolution>("evolution by mutation, in which the oldest die");
}
