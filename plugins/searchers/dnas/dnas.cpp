// Search by a distribution over the networks of a supernet, which learns while their shared weights
// do. Every network that is drawn is a single one and costs as much. With `constraint: masked` it
// keeps the limits by exact costs, so no weight of a penalty is to be tuned; the others are the
// penalties of the literature, on expected costs. All end in a network that keeps the limits.
//
// With `mixture: drawn`, logits follow the gradient of the expected loss of what is drawn, by the
// score function with the mean of the other draws as its baseline (Williams 1992; Kool et al.
// 2019): draws of a step are compared on one batch. A soft gradient through the sampled branch, as
// GDAS has it (Dong and Yang, arXiv 1910.04465), is zero where batch norm follows a choice
// (docs/decisions/0016). With `mixture: soft` all options run and add up by Gumbel-softmax shares
// (Jang et al., 1611.01144).

#include <algorithm>
#include <cmath>
#include <numeric>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/search/feasible_draws.hpp>
#include <thimble/searcher.hpp>

#include "finals.hpp"
#include "logits.hpp"
#include "params.hpp"
#include "penalty.hpp"

namespace dnas {
namespace {

using thimble::decimals;
using thimble::Evaluator;
using thimble::FeasibleDraws;
using thimble::Genotype;
using thimble::OptionNumbers;
using thimble::Problem;
using thimble::Random;

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// One search.
class Run {
 public:
  Run(const Params& params, const Problem& problem, Evaluator& evaluator,
      thimble::Relaxation& weights, FeasibleDraws& draws)
      : params_{params},
        problem_{problem},
        evaluator_{evaluator},
        weights_{weights},
        draws_{draws},
        logits_{problem, params},
        penalty_{problem, evaluator, params.constraint} {
    course_.columns = {"loss", "validation_loss", "entropy", "temperature"};
    for (const thimble::Limit& limit : problem.limits) course_.columns.push_back(limit.metric);
  }

  /// Goes on where an earlier process stopped. Returns the shares of options in the end.
  OptionNumbers search() {
    if (const auto kept = weights_.kept()) {
      logits_.read(*kept);
      penalty_.read(*kept);
      epoch_ = static_cast<int>(kept->at("epoch").at(0));
      read_course(kept->at("course"));
    }
    while (epoch_ < params_.epochs) {
      run_epoch();
      ++epoch_;
      thimble::NamedNumbers numbers{{"epoch", {static_cast<double>(epoch_)}},
                                    {"course", flat_course()}};
      logits_.write(numbers);
      penalty_.write(numbers);
      weights_.keep(numbers);
    }
    return thimble::shares_of(logits_.values(), 1);
  }

  /// By epoch.
  const thimble::Course& course() const { return course_; }

 private:
  /// Row by row.
  std::vector<double> flat_course() const {
    std::vector<double> all;
    for (const auto& row : course_.rows) all.insert(all.end(), row.begin(), row.end());
    return all;
  }
  void read_course(const std::vector<double>& numbers) {
    const auto width = std::ssize(course_.columns);
    for (auto next = numbers.begin(); next != numbers.end(); next += width)
      course_.rows.emplace_back(next, next + width);
  }

  /// The share of the steps in which logits learn that is over at a step.
  double done(std::int64_t step) const {
    const auto steps = static_cast<double>(weights_.steps_of_epoch());
    const double begin = params_.warm_up * params_.epochs;
    const double left = std::max(params_.epochs - begin, 1.0);
    return std::clamp((static_cast<double>(step) / steps - begin) / left, 0.0, 1.0);
  }

  /// From the first to the last, by one factor a step.
  double temperature(std::int64_t step) const {
    const double cooled = std::min(done(step) / params_.cooling, 1.0);
    return params_.temperature * std::pow(params_.last_temperature / params_.temperature, cooled);
  }

  void run_epoch() {
    const bool learns_logits = epoch_ >= params_.warm_up * params_.epochs;
    std::vector<double> learned, compared, costs(problem_.limits.size());
    const std::int64_t steps = weights_.steps_of_epoch();
    for (std::int64_t i = 0; i < steps; ++i) {
      const std::int64_t step = epoch_ * steps + i;
      Random random = Random::stream(problem_.seed, {"dnas", std::to_string(step)});
      const OptionNumbers shares = thimble::shares_of(logits_.values(), temperature(step));
      const auto networks = genotypes_of(drawn(shares, random));
      learned.push_back(is_soft() ? weights_.learn(mixtures(step, random))
                                  : weights_.learn(networks));
      add_costs(costs, networks);
      if (learns_logits) compared.push_back(learn_logits(step, shares, random));
    }
    const double entropy = entropy_of(thimble::shares_of(logits_.values(), 1));
    if (learns_logits) penalty_.end_epoch();
    course_.rows.push_back(
        {mean_of(learned), mean_of(compared), entropy, temperature((epoch_ + 1) * steps)});
    for (const double sum : costs)
      course_.rows.back().push_back(sum / static_cast<double>(steps * params_.draws));
    evaluator_.log(
        "epoch " + std::to_string(epoch_ + 1) + " of " + std::to_string(params_.epochs) +
        ": loss " + decimals(mean_of(learned), 4) +
        (compared.empty() ? "" : ", on the other part " + decimals(mean_of(compared), 4)) +
        ", entropy " + decimals(entropy, 3));
  }

  bool is_soft() const { return params_.mixture == Mixture::soft; }

  void add_costs(std::vector<double>& costs, const std::vector<Genotype>& networks) const {
    for (const Genotype& network : networks) {
      const thimble::Evaluation evaluation = evaluator_.cost(network);
      for (std::size_t i = 0; i < costs.size(); ++i)
        costs[i] += thimble::cost_metric(evaluation, problem_.limits[i].metric);
    }
  }

  std::vector<FeasibleDraws::Draw> drawn(const OptionNumbers& shares, Random& random) {
    std::vector<FeasibleDraws::Draw> made;
    for (int i = 0; i < params_.draws; ++i) made.push_back(draws_.draw(shares, random));
    return made;
  }

  static std::vector<Genotype> genotypes_of(const std::vector<FeasibleDraws::Draw>& draws) {
    std::vector<Genotype> made;
    for (const FeasibleDraws::Draw& draw : draws) made.push_back(draw.genotype);
    return made;
  }

  /// Shares by the Gumbel-softmax, one set for each part of a batch.
  std::vector<OptionNumbers> mixtures(std::int64_t step, Random& random) const {
    std::vector<OptionNumbers> made;
    for (int i = 0; i < params_.draws; ++i) {
      OptionNumbers noisy = logits_.values();
      for (auto& own : noisy)
        for (double& logit : own) logit -= std::log(-std::log(1 - random.uniform()));
      made.push_back(thimble::shares_of(noisy, temperature(step)));
    }
    return made;
  }

  /// Returns the mean loss.
  double learn_logits(std::int64_t step, const OptionNumbers& shares, Random& random) {
    OptionNumbers gradient = zeros_like(shares);
    const double loss = is_soft() ? add_slope_of_mixtures(gradient, step, random)
                                  : add_slope_of_draws(gradient, step, shares, random);
    penalty_.end_step();
    logits_.descend(gradient, done(step));
    return loss;
  }

  double add_slope_of_draws(OptionNumbers& gradient, std::int64_t step, const OptionNumbers& shares,
                            Random& random) {
    const auto draws = drawn(shares, random);
    const auto networks = genotypes_of(draws);
    const std::vector<double> losses = weights_.losses(networks);
    const auto count = static_cast<double>(draws.size());
    const double sum = std::accumulate(losses.begin(), losses.end(), 0.0);
    OptionNumbers by_share = zeros_like(shares);
    penalty_.add_slope(by_share, shares, networks);
    add(gradient, thimble::through_softmax(by_share, shares, temperature(step)));
    for (std::size_t d = 0; d < draws.size(); ++d) {
      const double others = (sum - losses[d]) / (count - 1);
      const double advantage = (losses[d] - others) / (count * temperature(step));
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        for (std::size_t k = 0; k < gradient[i].size(); ++k)
          gradient[i][k] -= advantage * draws[d].shares[i][k];
        gradient[i][static_cast<std::size_t>(draws[d].genotype[i])] += advantage;
      }
    }
    return sum / count;
  }

  double add_slope_of_mixtures(OptionNumbers& gradient, std::int64_t step, Random& random) {
    const auto soft = mixtures(step, random);
    const auto found = weights_.losses(soft);
    const auto count = static_cast<double>(found.size());
    double sum = 0;
    for (std::size_t m = 0; m < found.size(); ++m) {
      OptionNumbers by_share = found[m].by_share;
      penalty_.add_slope(by_share, soft[m], genotypes_of(drawn(soft[m], random)));
      add(gradient, thimble::through_softmax(by_share, soft[m], temperature(step) * count));
      sum += found[m].loss;
    }
    return sum / count;
  }

  const Params& params_;
  const Problem& problem_;
  Evaluator& evaluator_;
  thimble::Relaxation& weights_;
  FeasibleDraws& draws_;
  Logits logits_;
  Penalty penalty_;
  int epoch_ = 0;
  thimble::Course course_;
};

class Dnas final : public thimble::Searcher {
 public:
  using Params = dnas::Params;
  explicit Dnas(const Params& params) : params_{params} {
    if (params.mixture == Mixture::soft && params.constraint == Constraint::masked)
      throw thimble::Error{"'constraint: masked' says what may be drawn, and a soft mixture is not",
                           "take soft_log or lagrangian, or 'mixture: drawn'"};
    if (params.mixture == Mixture::drawn && params.draws == 1)
      throw thimble::Error{"a single draw has none to be compared with",
                           "take 'draws' of 2 or more, or 'mixture: soft'"};
  }

  bool needs_supernet() const override { return true; }
  bool needs_relaxation() const override { return true; }
  bool hands_on_weights() const override { return true; }

  /// The one that it finds.
  std::optional<std::int64_t> expected_evaluations(const Problem&) const override { return 1; }

  thimble::SearchResult search(const Problem& problem, Evaluator& evaluator) const override {
    evaluator.log("looking for a network that keeps the limits");
    FeasibleDraws feasible{problem, evaluator};
    if (!feasible.root().is_feasible()) {
      auto result = thimble::summarize({feasible.root()}, problem);
      result.remarks.emplace_back(
          "nothing was trained: no network that keeps the limits was found");
      return result;
    }
    FeasibleDraws any{problem, evaluator, false};
    evaluator.expect(params_.epochs);
    const auto weights = evaluator.relaxation({.epochs = params_.epochs,
                                               .batch = params_.batch,
                                               .validation = params_.validation,
                                               .learning_rate = params_.weight_learning_rate});
    FeasibleDraws& draws = params_.constraint == Constraint::masked ? feasible : any;
    Run run{params_, problem, evaluator, *weights, draws};
    const OptionNumbers shares = run.search();
    auto result = Finals{problem, feasible, shares, *weights, evaluator, params_}.play();
    result.course = run.course();
    constexpr double kHardlyMoved = 0.999;
    if (entropy_of(shares) > kHardlyMoved)
      result.remarks.emplace_back(
          "options are as likely as at first: the search was no more than draws (more epochs, a "
          "shorter warm_up, or another learning_rate or temperature may help)");
    return result;
  }

 private:
  Params params_;
};

}  // namespace
}  // namespace dnas

THIMBLE_PLUGIN("dnas", "1.1.0") {
  plugin
      .provides<dnas::Dnas>("a distribution over a supernet's networks, learned with their weights")
      .profile(
          // Their temperature falls to 1e-5 in a fifth of the steps; this is its way to where
          // logits move last.
          "paper",
          "{mixture: soft, constraint: soft_log, epochs: 100, warm_up: 0, draws: 1, optimiser: sgd,"
          " learning_rate: 0.36, weight_learning_rate: 0.001, last_temperature: 0.05,"
          " cooling: 0.052, finalists: 1}");
}
