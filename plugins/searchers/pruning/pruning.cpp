// Pruning-based search: TE-NAS (Chen, Gong and Wang, ICLR 2021, arXiv 2102.11535), made aware of
// hardware as MicroNAS has it (Qiao et al., arXiv 2401.08996).
//
// The search begins with every option of every decision alive in one supernet and removes, round
// by round, one option from each decision that has several left. What the removal of option o
// from decision d does to an objective:
//
//     proxy:  gain = (score without o - score with o) / |score with o|, the sign turned so that an
//             improvement is positive, from equal batches and weights, mean of the repeats
//     cost:   gain = (E(state) - E(state without o)) / E(start), E the expected cost of a uniform
//             draw: a witness's, and for each decision the mean over its options of what they add
//     aggregate:  how the gains in its members combine when they are ranked over the round
//
// Gains are ranked over all candidates of a round, best first; S = sum of weight x rank, and on
// each decision the option with the least S goes. With weights 1 for ntk and linear_regions and 0
// for costs this is TE-NAS. The papers leave open how costs enter; ranks need no scale, and those
// of equal gains in a cost are their mean. `score: true` takes S = -sum of weight x gain instead.
//
// Limits hold by construction: the search carries a witness, a network within the present state
// that keeps all limits, and removes a witness's option only if another witness exists.

#include <algorithm>
#include <bit>
#include <numeric>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search/witnesses.hpp>
#include <thimble/searcher.hpp>

#include "judge.hpp"

namespace pruning {
namespace {

using thimble::AliveOptions;
using thimble::Evaluation;
using thimble::Evaluator;
using thimble::Genotype;
using thimble::Objective;
using thimble::options_in;
using thimble::Problem;
using thimble::without;
using thimble::Witnesses;

class Pruning final : public thimble::Searcher {
 public:
  struct Params {
    std::vector<std::string> drop{"none"};
    bool score = false;
    bool adapt_weights = false;
    std::int64_t exact_guard = 20000;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::drop, "drop", "options that are dead from the start");
      param(&Params::score, "score", "weigh the gains themselves instead of their ranks");
      param(
          &Params::adapt_weights, "adapt_weights",
          "multiply the weights of costs by 0, 1/4, 1/2, 1, 2, 4 in turn until the limits are met "
          "without the guard");
      param(&Params::exact_guard, "exact_guard",
            "prove that no network keeps the limits in states of at most so many networks")
          .range(0, 10'000'000);
    }
  };

  explicit Pruning(Params params) : params_{std::move(params)} {}

  bool needs_supernet() const override { return true; }

  std::optional<std::int64_t> expected_evaluations(const Problem& problem) const override {
    const std::int64_t count = affordable_evaluations(problem);
    if (!params_.adapt_weights) return count;
    require_weights_of_costs(problem);
    return std::nullopt;  // as many runs as it takes
  }

  thimble::SearchResult search(const Problem& problem, Evaluator& evaluator) const override {
    const std::int64_t count = affordable_evaluations(problem);
    Witnesses networks{evaluator, params_.exact_guard};
    const AliveOptions state = start(problem);
    const Evaluation& witness = networks.best_in(state);
    if (!witness.is_feasible()) return infeasible(witness, problem, state);
    Run run{problem, evaluator, networks, params_.score, state, witness.genotype};
    evaluator.expect(count);
    if (!params_.adapt_weights) return finish(run.prune(1, true), problem, evaluator);
    for (const double factor : {0.0, 0.25, 0.5, 1.0, 2.0, 4.0}) {
      const Genotype found = run.prune(factor, false);
      evaluator.log("weights of costs x " + thimble::number_text(factor) + ": " +
                    networks.cost(found).text);
      if (networks.cost(found).is_feasible()) {
        auto result = finish(found, problem, evaluator);
        result.remarks.push_back("the limits were met with the weights of costs multiplied by " +
                                 thimble::number_text(factor));
        return result;
      }
    }
    auto result = finish(run.prune(4, true), problem, evaluator);
    result.remarks.emplace_back("no weights met the limits by themselves; the guard did");
    return result;
  }

 private:
  /// Searches from the start to a single network.
  class Run {
   public:
    Run(const Problem& problem, Evaluator& evaluator, Witnesses& networks, bool by_score,
        AliveOptions start, Genotype witness)
        : problem_{problem},
          evaluator_{evaluator},
          networks_{networks},
          judge_{problem, evaluator, networks, by_score, start, witness},
          start_{std::move(start)},
          witness_{std::move(witness)} {}

    Genotype prune(double cost_factor, bool is_guarded) {
      AliveOptions state = start_;
      Genotype witness = witness_;
      for (int round = 1;; ++round) {
        const auto removals = open_removals(state);
        if (removals.empty()) break;
        const auto sums = judge_.sums(state, removals, cost_factor);
        remove_one_each(state, witness, removals, sums, is_guarded);
        evaluator_.log("round " + std::to_string(round) + " of pruning leaves " +
                       state_line(state));
      }
      Genotype found;
      for (const std::uint64_t mask : state) found.push_back(options_in(mask).front());
      return found;
    }

   private:
    static std::vector<Removal> open_removals(const AliveOptions& state) {
      std::vector<Removal> removals;
      for (std::size_t i = 0; i < state.size(); ++i) {
        if (std::popcount(state[i]) < 2) continue;
        for (const int option : options_in(state[i])) removals.push_back({i, option});
      }
      return removals;
    }

    std::string state_line(const AliveOptions& state) const {
      std::vector<std::string> parts;
      for (std::size_t i = 0; i < state.size(); ++i) {
        std::vector<std::string> names;
        for (const int option : options_in(state[i]))
          names.push_back(problem_.decisions[i].options[static_cast<std::size_t>(option)]);
        parts.push_back(problem_.decisions[i].name + "={" + thimble::join(names, ",") + "}");
      }
      return thimble::join(parts, " ");
    }

    void remove_one_each(AliveOptions& state, Genotype& witness,
                         const std::vector<Removal>& removals, const std::vector<double>& sums,
                         bool is_guarded) {
      std::vector<std::size_t> order(removals.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::ranges::stable_sort(order, {}, [&](std::size_t i) { return sums[i]; });
      std::vector<bool> is_done(state.size());
      for (const std::size_t i : order) {
        const auto& [decision, option] = removals[i];
        if (is_done[decision]) continue;
        if (is_guarded &&
            !keeps_a_witness(without(state, decision, option), removals[i], witness)) {
          evaluator_.log("guard: " + problem_.decisions[decision].name + " keeps " +
                         problem_.decisions[decision].options[static_cast<std::size_t>(option)] +
                         ", or no network would keep the limits");
          continue;
        }
        state = without(state, decision, option);
        is_done[decision] = true;
      }
    }

    bool keeps_a_witness(const AliveOptions& rest, const Removal& removal, Genotype& witness) {
      if (witness[removal.decision] != removal.option) return true;
      const Evaluation& other = networks_.best_in(rest);
      if (!other.is_feasible()) return false;
      witness = other.genotype;
      return true;
    }

    const Problem& problem_;
    Evaluator& evaluator_;
    Witnesses& networks_;
    Judge judge_;
    AliveOptions start_;
    Genotype witness_;  // of the start
  };

  /// How many one run scores; it cannot end early, so too small a budget is an Error.
  std::int64_t affordable_evaluations(const Problem& problem) const {
    AliveOptions state = start(problem);
    std::int64_t count = 1;  // the network at the end
    for (bool is_open = true; is_open;) {
      is_open = false;
      for (std::uint64_t& mask : state) {
        if (std::popcount(mask) < 2) continue;
        count += std::popcount(mask);
        mask &= mask - 1;
        is_open = true;
      }
      count += is_open ? 1 : 0;
    }
    if (count > problem.budget.evaluations)
      throw thimble::Error{"a pruning search scores about " + std::to_string(count) +
                               " candidates, the budget has " +
                               std::to_string(problem.budget.evaluations),
                           "raise budget.evaluations, or use another searcher"};
    return count;
  }

  /// The weights that are adapted are those of costs.
  static void require_weights_of_costs(const Problem& problem) {
    const auto has_weight = [](const Objective& objective) {
      return thimble::is_cost_metric(objective.metric) && objective.weight > 0;
    };
    if (!std::ranges::any_of(problem.objectives, has_weight))
      throw thimble::Error{
          "'adapt_weights' has nothing to adapt: no cost is an objective with a weight "
          "above 0",
          "add one, such as {minimize: latency_ms, weight: 1}, or leave it to the "
          "guard: adapt_weights: false"};
  }

  /// `none` is dropped wherever there is one; any other name must be somebody's option.
  void require_known_drops(const Problem& problem) const {
    std::vector<std::string> known;
    for (const thimble::Decision& decision : problem.decisions)
      known.insert(known.end(), decision.options.begin(), decision.options.end());
    for (const std::string& name : params_.drop)
      if (name != "none" && std::ranges::find(known, name) == known.end())
        throw thimble::Error{"'drop' names " + thimble::in_quotes(name) + ", which is no option" +
                                 thimble::did_you_mean(name, known),
                             "thimble show lists what the search space offers"};
  }

  AliveOptions start(const Problem& problem) const {
    require_known_drops(problem);
    AliveOptions state;
    for (const thimble::Decision& decision : problem.decisions) {
      std::uint64_t mask = 0;
      for (std::size_t i = 0; i < decision.options.size(); ++i)
        if (std::ranges::find(params_.drop, decision.options[i]) == params_.drop.end())
          mask |= std::uint64_t{1} << i;
      if (mask == 0)
        throw thimble::Error{"'drop' leaves decision '" + decision.name + "' without an option",
                             "shorten searcher.drop"};
      state.push_back(mask);
    }
    return state;
  }

  thimble::SearchResult infeasible(const Evaluation& nearest, const Problem& problem,
                                   const AliveOptions& state) const {
    auto result = thimble::summarize({nearest}, problem);
    const bool is_proof = thimble::networks_in(state) <= static_cast<double>(params_.exact_guard);
    std::string remark = is_proof
                             ? "nothing was scored: the limits cannot be met"
                             : "nothing was scored: no network that keeps the limits was found";
    if (!params_.drop.empty())
      remark += " without the dropped options (" + thimble::join(params_.drop) + ")";
    result.remarks.push_back(remark);
    return result;
  }

  static thimble::SearchResult finish(const Genotype& found, const Problem& problem,
                                      Evaluator& evaluator) {
    const std::vector<Genotype> last{found};
    return thimble::summarize(evaluator.evaluate(last), problem);
  }

  Params params_;
};

}  // namespace
}  // namespace pruning

THIMBLE_PLUGIN("pruning", "1.0.0") {
  plugin.provides<pruning::Pruning>(
      "removes options from a supernet until one network is left (TE-NAS, MicroNAS)");
}
