// Search by a distribution over the networks of a supernet, which learns while their shared weights
// do. Every network that is drawn is a single one and costs as much. With `constraint: masked` it
// keeps the limits by exact costs, so no weight of a penalty is to be tuned; the others are the
// penalties of the literature, on exact costs as well. All end in a network that keeps the limits.
//
// Logits follow the gradient of the expected loss of what is drawn, by the score function with the
// mean of the other draws as its baseline (Williams 1992; Kool et al. 2019): draws of a step are
// compared on one batch. A soft gradient through the sampled branch, as GDAS has it (Dong and Yang,
// arXiv 1910.04465), is zero where batch norm follows a choice (docs/decisions/0016).

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/search/feasible_draws.hpp>
#include <thimble/searcher.hpp>

namespace {

using thimble::Evaluation;
using thimble::Evaluator;
using thimble::FeasibleDraws;
using thimble::Genotype;
using thimble::OptionNumbers;
using thimble::Problem;
using thimble::Random;

enum class Constraint {
  masked,    ///< nothing is drawn that breaks a limit
  soft_log,  ///< loss + sum over limits of g log(cost / limit), g by side (King et al., 2310.18384)
  lagrangian,  ///< loss + sum over limits of multiplier x (cost / limit - 1), by dual ascent
};

const std::vector<std::pair<std::string, Constraint>>& names_of(Constraint) {
  static const std::vector<std::pair<std::string, Constraint>> kNames{
      {"masked", Constraint::masked},
      {"soft_log", Constraint::soft_log},
      {"lagrangian", Constraint::lagrangian}};
  return kNames;
}

struct Params {
  int epochs = 60;
  double warm_up = 0.25;
  int batch = 64;
  int draws = 4;
  double learning_rate = 0.007;
  double temperature = 1;
  double last_temperature = 1;
  double validation = 0.2;
  Constraint constraint = Constraint::masked;
  int finalists = 64;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Params::epochs, "epochs", "how often weights go through what they learn from")
        .range(1, 100000);
    param(&Params::warm_up, "warm_up", "share of the epochs in which only weights learn")
        .range(0, 1);
    param(&Params::batch, "batch", "samples a step; each network drawn sees its part")
        .range(8, 65536);
    param(&Params::draws, "draws", "networks drawn for a step of the weights, and again to compare")
        .range(2, 64);
    param(&Params::learning_rate, "learning_rate", "of the logits, by Adam").range(1e-6, 10);
    param(&Params::temperature, "temperature", "at which options are drawn at first")
        .range(0.01, 100);
    param(&Params::last_temperature, "last_temperature", "and in the end").range(0.01, 100);
    param(&Params::validation, "validation",
          "share of the training part that networks are compared on, whole groups of it")
        .range(0.01, 0.9);
    param(&Params::constraint, "constraint", "how limits are kept while it searches");
    param(
        &Params::finalists, "finalists",
        "likeliest networks that keep the limits that compete on all validation samples, and near "
        "the best as many again until none is better")
        .range(1, 1000);
  }
};

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string decimals(double value, int count) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.begin(), text.end(), value, std::chars_format::fixed, count);
  return {text.begin(), end.ptr};
}

/// 1 for a coin, 0 where all is decided; the mean over decisions.
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

/// What is added to losses for costs near and above the limits.
class Penalty {
 public:
  Penalty(const Problem& problem, Constraint constraint)
      : multipliers(problem.limits.size()), problem_{problem}, constraint_{constraint} {}

  std::vector<double> multipliers;  ///< of each limit, for `lagrangian`

  double of(const Evaluation& network) const {
    double sum = 0;
    for (std::size_t i = 0; i < problem_.limits.size(); ++i) {
      const double use = use_of(network, i);
      if (constraint_ == Constraint::soft_log)
        sum += (use > 1 ? kAbove : kBelow) * std::log(std::max(use, 1e-6));
      if (constraint_ == Constraint::lagrangian) sum += multipliers[i] * (use - 1);
    }
    return sum;
  }

  /// Dual ascent on the mean excess of these.
  void learn(const std::vector<Evaluation>& networks) {
    constexpr double kRate = 0.02;
    for (std::size_t i = 0; i < multipliers.size(); ++i) {
      double excess = 0;
      for (const Evaluation& network : networks) excess += use_of(network, i) - 1;
      multipliers[i] += kRate * excess / static_cast<double>(networks.size());
      multipliers[i] = std::max(multipliers[i], 0.0);
    }
  }

 private:
  // As published: 4 where a limit is broken, else 0.002.
  static constexpr double kAbove = 4;
  static constexpr double kBelow = 0.002;

  double use_of(const Evaluation& network, std::size_t limit) const {
    const auto& [metric, most] = problem_.limits[limit];
    return thimble::cost_metric(network, metric) / most;
  }

  const Problem& problem_;
  Constraint constraint_;
};

/// Logits that descend by Adam.
class Logits {
 public:
  explicit Logits(const Problem& problem) {
    for (const thimble::Decision& decision : problem.decisions)
      values_.emplace_back(decision.options.size());
    first_ = second_ = values_;
  }

  const OptionNumbers& values() const { return values_; }

  void descend(const OptionNumbers& gradient, double rate) {
    constexpr double kFirst = 0.5, kSecond = 0.999, kEpsilon = 1e-8;
    ++steps_;
    for (std::size_t i = 0; i < values_.size(); ++i)
      for (std::size_t k = 0; k < values_[i].size(); ++k) {
        const double slope = gradient[i][k];
        first_[i][k] = kFirst * first_[i][k] + (1 - kFirst) * slope;
        second_[i][k] = kSecond * second_[i][k] + (1 - kSecond) * slope * slope;
        const double first = first_[i][k] / (1 - std::pow(kFirst, steps_));
        const double second = second_[i][k] / (1 - std::pow(kSecond, steps_));
        values_[i][k] -= rate * first / (std::sqrt(second) + kEpsilon);
      }
  }

  void write(thimble::NamedNumbers& numbers) const {
    numbers["logits"] = flat(values_);
    numbers["first_moment"] = flat(first_);
    numbers["second_moment"] = flat(second_);
    numbers["steps"] = {steps_};
  }

  void read(const thimble::NamedNumbers& numbers) {
    take(values_, numbers.at("logits"));
    take(first_, numbers.at("first_moment"));
    take(second_, numbers.at("second_moment"));
    steps_ = numbers.at("steps").at(0);
  }

 private:
  static std::vector<double> flat(const OptionNumbers& numbers) {
    std::vector<double> made;
    for (const auto& own : numbers) made.insert(made.end(), own.begin(), own.end());
    return made;
  }

  static void take(OptionNumbers& into, const std::vector<double>& from) {
    auto next = from.begin();
    for (auto& own : into)
      for (double& value : own) value = *next++;
  }

  OptionNumbers values_;
  OptionNumbers first_;
  OptionNumbers second_;
  double steps_ = 0;
};

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
        logits_{problem},
        penalty_{problem, params.constraint} {
    course_.columns = {"loss", "validation_loss", "entropy"};
    for (const thimble::Limit& limit : problem.limits) course_.columns.push_back(limit.metric);
  }

  /// Goes on where an earlier process stopped. Returns the shares of options in the end.
  OptionNumbers search() {
    if (const auto kept = weights_.kept()) {
      logits_.read(*kept);
      penalty_.multipliers = kept->at("multipliers");
      epoch_ = static_cast<int>(kept->at("epoch").at(0));
      read_course(kept->at("course"));
    }
    while (epoch_ < params_.epochs) {
      run_epoch();
      ++epoch_;
      thimble::NamedNumbers numbers{{"multipliers", penalty_.multipliers},
                                    {"epoch", {static_cast<double>(epoch_)}},
                                    {"course", flat_course()}};
      logits_.write(numbers);
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

  /// From the first to the last over the epochs in which logits learn, by one factor each.
  double temperature() const {
    const double begin = params_.warm_up * params_.epochs;
    const double done =
        std::clamp((epoch_ - begin) / std::max(params_.epochs - begin, 1.0), 0.0, 1.0);
    return params_.temperature * std::pow(params_.last_temperature / params_.temperature, done);
  }

  void run_epoch() {
    const bool learns_logits = epoch_ >= params_.warm_up * params_.epochs;
    std::vector<double> learned, compared, costs(problem_.limits.size());
    const std::int64_t steps = weights_.steps_of_epoch();
    for (std::int64_t i = 0; i < steps; ++i) {
      const std::string step = std::to_string(epoch_ * steps + i);
      Random random = Random::stream(problem_.seed, {"dnas", step});
      const OptionNumbers shares = thimble::shares_of(logits_.values(), temperature());
      const auto networks = genotypes_of(drawn(shares, random));
      learned.push_back(weights_.learn(networks));
      add_costs(costs, networks);
      if (learns_logits) compared.push_back(learn_logits(shares, random));
    }
    const double entropy = entropy_of(thimble::shares_of(logits_.values(), 1));
    course_.rows.push_back({mean_of(learned), mean_of(compared), entropy});
    for (const double sum : costs)
      course_.rows.back().push_back(sum / static_cast<double>(steps * params_.draws));
    evaluator_.log(
        "epoch " + std::to_string(epoch_ + 1) + " of " + std::to_string(params_.epochs) +
        ": loss " + decimals(mean_of(learned), 4) +
        (compared.empty() ? "" : ", on the other part " + decimals(mean_of(compared), 4)) +
        ", entropy " + decimals(entropy, 3));
  }

  void add_costs(std::vector<double>& costs, const std::vector<Genotype>& networks) const {
    for (const Genotype& network : networks) {
      const Evaluation evaluation = evaluator_.cost(network);
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

  /// Returns the mean loss.
  double learn_logits(const OptionNumbers& shares, Random& random) {
    const auto draws = drawn(shares, random);
    std::vector<double> losses = weights_.losses(genotypes_of(draws));
    const double mean_loss = mean_of(losses);
    if (params_.constraint != Constraint::masked) add_penalties(draws, losses);
    const auto count = static_cast<double>(draws.size());
    const double sum = std::accumulate(losses.begin(), losses.end(), 0.0);
    OptionNumbers gradient = shares;
    for (auto& own : gradient) std::ranges::fill(own, 0.0);
    for (std::size_t d = 0; d < draws.size(); ++d) {
      const double others = (sum - losses[d]) / (count - 1);
      const double advantage = (losses[d] - others) / (count * temperature());
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        for (std::size_t k = 0; k < gradient[i].size(); ++k)
          gradient[i][k] -= advantage * draws[d].shares[i][k];
        gradient[i][static_cast<std::size_t>(draws[d].genotype[i])] += advantage;
      }
    }
    logits_.descend(gradient, params_.learning_rate);
    return mean_loss;
  }

  void add_penalties(const std::vector<FeasibleDraws::Draw>& draws, std::vector<double>& losses) {
    std::vector<Evaluation> networks;
    for (const FeasibleDraws::Draw& draw : draws)
      networks.push_back(evaluator_.cost(draw.genotype));
    for (std::size_t d = 0; d < draws.size(); ++d) losses[d] += penalty_.of(networks[d]);
    if (params_.constraint == Constraint::lagrangian) penalty_.learn(networks);
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

/// The likeliest networks by what they do on all samples that weights did not learn from, and as
/// long as that finds a better one, those near the best.
class Finals {
 public:
  Finals(FeasibleDraws& feasible, const OptionNumbers& shares, thimble::Relaxation& weights,
         Evaluator& evaluator, std::size_t places)
      : feasible_{feasible},
        shares_{shares},
        weights_{weights},
        evaluator_{evaluator},
        places_{places} {}

  thimble::SearchResult play(std::uint64_t seed) {
    Random random = Random::stream(seed, {"dnas", "finalists"});
    bool is_better = look_at(feasible_.likeliest(shares_, places_, random));
    while (is_better) is_better = look_at(feasible_.likeliest_near(best_, shares_, places_));
    const std::vector<Genotype> found{best_};
    thimble::SearchResult result;
    result.front = evaluator_.evaluate(found);
    result.best = result.front.front();
    result.remarks.push_back("of " + thimble::count_text(std::ssize(metrics_), "network") +
                             " that keep the limits, the best has " + decimals(metric_, 2) +
                             " (the first metric of the task) by shared weights, on samples that "
                             "these did not learn from");
    return result;
  }

 private:
  /// Whether one is better than all before; of equals the first.
  bool look_at(const std::vector<Genotype>& networks) {
    bool is_better = false;
    for (const Genotype& network : networks) {
      const auto [known, is_new] = metrics_.try_emplace(network);
      if (!is_new) continue;
      known->second = weights_.validate(network);
      evaluator_.log(decimals(known->second, 2) +
                     " by shared weights: " + evaluator_.cost(network).text);
      if (metrics_.size() > 1 && known->second <= metric_) continue;
      metric_ = known->second;
      best_ = network;
      is_better = true;
    }
    return is_better;
  }

  FeasibleDraws& feasible_;
  const OptionNumbers& shares_;
  thimble::Relaxation& weights_;
  Evaluator& evaluator_;
  std::size_t places_;
  std::map<Genotype, double> metrics_;
  Genotype best_;
  double metric_ = 0;
};

class Dnas final : public thimble::Searcher {
 public:
  using Params = ::Params;
  explicit Dnas(const Params& params) : params_{params} {}

  bool needs_supernet() const override { return true; }
  bool needs_relaxation() const override { return true; }

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
    const auto weights = evaluator.relaxation(
        {.epochs = params_.epochs, .batch = params_.batch, .validation = params_.validation});
    FeasibleDraws& draws = params_.constraint == Constraint::masked ? feasible : any;
    Run run{params_, problem, evaluator, *weights, draws};
    const OptionNumbers shares = run.search();
    const auto places = static_cast<std::size_t>(params_.finalists);
    auto result = Finals{feasible, shares, *weights, evaluator, places}.play(problem.seed);
    result.course = run.course();
    return result;
  }

 private:
  Params params_;
};

}  // namespace

THIMBLE_PLUGIN("dnas", "1.0.0") {
  plugin.provides<Dnas>("a distribution over a supernet's networks, learned with their weights");
}
