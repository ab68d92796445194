// Laws of searchers, on spaces of 27 networks whose proxy is a formula: no tensors are needed.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <set>

#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search/searcher.hpp>

#include "networks.hpp"
#include "subject.hpp"

namespace thimble::conformance {
namespace {

constexpr std::array<double, 3> kLatency{0, 1, 3};  // of the options, in ms

/// Three choices, one behind the other.
class Choices final : public SearchSpace {
 public:
  Choices() {
    NodeId x = supernet_.input({2, 8, 8});
    for (const std::string decision : {"a", "b", "c"}) {
      const NodeId from = x;
      x = supernet_.choice(decision, {{"skip", [&] { return from; }},
                                      {"narrow", [&] { return supernet_.conv(from, {.out = 2}); }},
                                      {"wide", [&] { return conv_bn_relu(supernet_, from, 2); }}});
    }
    classifier(supernet_, x);
  }
  const Graph* supernet() const override { return &supernet_; }

 private:
  Graph supernet_;
};

/// The same as numbers: three widths, and no supernet.
class Numbers final : public SearchSpace {
 public:
  std::vector<Decision> decisions() const override {
    std::vector<Decision> all;
    for (const char* const name : {"a", "b", "c"})
      all.push_back({name, Decision::Type::integer, {}, 0, 2});
    return all;
  }
  Graph build(const Genotype& genotype) const override {
    Graph g;
    NodeId x = g.input({2, 8, 8});
    for (const double width : genotype) x = g.conv(x, {.out = 1 + static_cast<int>(width)});
    classifier(g, x);
    return g;
  }
};

/// Answers by formula, and keeps account of what it was asked.
class FakeEvaluator final : public Evaluator {
 public:
  FakeEvaluator(const Problem& problem) : problem_{problem} {}

  std::vector<Evaluation> evaluate(std::span<const Genotype> genotypes) override {
    std::vector<Evaluation> all;
    for (const Genotype& genotype : genotypes) {
      all.push_back(cost(genotype));
      if (all.back().is_feasible()) {
        count(all.back().text);
        double value = 0;
        for (std::size_t i = 0; i < genotype.size(); ++i) value += merit(i, genotype[i]);
        say(all.back(), value);
      }
      evaluated_.push_back(all.back());
    }
    return all;
  }

  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions> states) override {
    EXPECT_NE(problem_.space.supernet(), nullptr) << "there is no supernet to look at";
    std::vector<Evaluation> all(states.size());
    for (std::size_t k = 0; k < states.size(); ++k) {
      EXPECT_EQ(states[k].size(), problem_.decisions.size());
      double value = 0;
      for (std::size_t i = 0; i < states[k].size(); ++i) {
        EXPECT_NE(states[k][i], 0U) << "decision " << i << " has no option left";
        EXPECT_LT(states[k][i], 8U) << "decision " << i << " has three options";
        double sum = 0;
        int alive = 0;
        for (int option = 0; option < 3; ++option) {
          if (((states[k][i] >> option) & 1U) == 0) continue;
          sum += merit(i, option);
          ++alive;
        }
        value += sum / alive;
        all[k].text += std::to_string(states[k][i]) + " ";
      }
      all[k].macs = all[k].params = -1;
      count(all[k].text);
      say(all[k], value);
    }
    return all;
  }

  Evaluation cost(const Genotype& genotype) const override {
    EXPECT_EQ(genotype.size(), problem_.decisions.size());
    Evaluation evaluation;
    evaluation.genotype = genotype;
    evaluation.text = evaluation.canonical = problem_.space.encode(genotype);
    const Graph graph = problem_.space.build(genotype);
    evaluation.macs = macs(graph);
    evaluation.params = params(graph);
    evaluation.has_cost = true;
    double latency_ms = 1;
    for (const double option : genotype) {
      EXPECT_TRUE(option == 0 || option == 1 || option == 2) << option << " is no option";
      latency_ms += kLatency.at(static_cast<std::size_t>(option));
    }
    evaluation.cost.latency_ms.value = latency_ms;
    judge(evaluation);
    if (seen_.insert(evaluation.text).second)
      least_violation_ = std::min(least_violation_, evaluation.violation);
    return evaluation;
  }

  const ProxyValue* proxy(const Evaluation& evaluation, std::string_view metric) const override {
    return metric == "merit" && !evaluation.proxies.empty() ? evaluation.proxies.data() : nullptr;
  }
  std::unique_ptr<Relaxation> relaxation(const RelaxationOrder&) override {
    return std::make_unique<FakeRelaxation>(*this);
  }
  void log(const std::string&) override {}
  void expect(std::int64_t evaluations) override { EXPECT_GE(evaluations, 0); }

  /// The user stops the run when so many candidates were scored.
  void interrupt_after(std::int64_t scored) { interrupt_after_ = scored; }
  std::int64_t scored() const { return static_cast<std::int64_t>(scored_.size()); }
  double least_violation() const { return least_violation_; }
  bool saw_a_feasible_network() const {
    return std::ranges::any_of(evaluated_, &Evaluation::is_feasible);
  }
  const std::string& handed_on() const { return handed_on_; }
  bool has_evaluated(const Evaluation& evaluation) const { return seen_.contains(evaluation.text); }

 private:
  /// Weights that need not learn: a network's loss is what it lacks in merit.
  class FakeRelaxation final : public Relaxation {
   public:
    explicit FakeRelaxation(FakeEvaluator& all) : all_{all} {}
    std::int64_t steps_of_epoch() const override { return 20; }
    double learn(std::span<const Genotype> networks) override { return losses(networks)[0]; }
    std::vector<double> losses(std::span<const Genotype> networks) override {
      std::vector<double> found;
      for (const Genotype& network : networks) found.push_back(-validate(network));
      return found;
    }
    double validate(const Genotype& network) override {
      if (asked_++ >= all_.interrupt_after_) throw Interrupted{"interrupted"};
      double value = 0;
      for (std::size_t i = 0; i < network.size(); ++i) value += merit(i, network[i]);
      return value;
    }
    double validate_alone(const Genotype& network) override { return validate(network); }
    double learn(std::span<const OptionNumbers> mixtures) override {
      return losses(mixtures)[0].loss;
    }
    /// By shares as by options.
    std::vector<MixtureLoss> losses(std::span<const OptionNumbers> mixtures) override {
      std::vector<MixtureLoss> found(mixtures.size());
      for (std::size_t m = 0; m < mixtures.size(); ++m)
        for (std::size_t i = 0; i < mixtures[m].size(); ++i) {
          auto& by_share = found[m].by_share.emplace_back();
          for (std::size_t k = 0; k < mixtures[m][i].size(); ++k) {
            by_share.push_back(-merit(i, static_cast<double>(k)));
            found[m].loss += mixtures[m][i][k] * by_share.back();
          }
        }
      return found;
    }
    void hand_on(const Genotype& network) override {
      all_.handed_on_ = all_.problem_.space.encode(network);
    }
    void keep(const NamedNumbers&) override {}
    std::optional<NamedNumbers> kept() override { return {}; }

   private:
    FakeEvaluator& all_;
    std::int64_t asked_ = 0;
  };

  /// The middle option is best for one decision, the last for the others.
  static double merit(std::size_t decision, double option) {
    if (decision == 0) return option == 1 ? 4 : 1;
    return 1 + option * static_cast<double>(decision);
  }

  void count(const std::string& text) {
    if (scored() >= interrupt_after_) throw Interrupted{"interrupted"};
    scored_.insert(text);
  }

  void say(Evaluation& evaluation, double value) const {
    evaluation.proxies = {{.value = value, .repeats = {value}, .seconds = 0.001, .invalid = {}}};
    judge(evaluation);
  }

  void judge(Evaluation& evaluation) const {
    evaluation.violation = 0;
    for (const Limit& limit : problem_.limits)
      evaluation.violation += std::max(0.0, cost_metric(evaluation, limit.metric) / limit.most - 1);
    evaluation.objectives.clear();
    for (const Objective& objective : problem_.objectives) {
      double value = cost_metric(evaluation, objective.metric);
      if (const ProxyValue* const said = proxy(evaluation, objective.metric)) value = said->value;
      evaluation.objectives.push_back(value);
    }
  }

  const Problem& problem_;
  std::string handed_on_;
  std::set<std::string> scored_;
  std::vector<Evaluation> evaluated_;
  std::int64_t interrupt_after_ = std::numeric_limits<std::int64_t>::max();
  mutable std::set<std::string> seen_;
  mutable double least_violation_ = std::numeric_limits<double>::infinity();
};

/// A result as text: equal when everything in it is.
std::string text_of(const SearchResult& result) {
  std::string text = result.best ? result.best->text : "nothing";
  for (const Evaluation& evaluation : result.front) text += "\nfront: " + evaluation.text;
  for (const std::string& remark : result.remarks) text += "\nremark: " + remark;
  return text;
}

class SearcherLaws : public testing::Test {
 protected:
  void SetUp() override { searcher_ = make<Searcher>(); }

  Problem problem(const SearchSpace& space) const {
    return {
        .space = space,
        .decisions = space.decisions(),
        .objectives = {{"merit", Direction::maximize, 1}, {"latency_ms", Direction::minimize, 1}},
        .limits = {},
        .seed = 1,
        .budget = {}};
  }

  /// What must hold of any result.
  static void expect_sound(const SearchResult& result, const Problem& problem,
                           const FakeEvaluator& evaluator) {
    ASSERT_TRUE(result.best.has_value());
    EXPECT_TRUE(evaluator.has_evaluated(*result.best)) << "it never looked at its best";
    EXPECT_EQ(problem.space.encode(result.best->genotype), result.best->text);
    EXPECT_EQ(result.best->objectives.size(), problem.objectives.size());
    EXPECT_FALSE(result.front.empty());
    EXPECT_TRUE(result.best->is_feasible() || !evaluator.saw_a_feasible_network());
    for (const Evaluation& one : result.front) {
      EXPECT_TRUE(evaluator.has_evaluated(one)) << one.text;
      EXPECT_EQ(one.is_feasible(), result.best->is_feasible()) << one.text;
      for (const Evaluation& other : result.front)
        EXPECT_FALSE(dominates(one, other, problem.objectives))
            << one.text << " is better than " << other.text;
    }
    for (const std::string& remark : result.remarks) EXPECT_FALSE(remark.empty());
  }

  std::unique_ptr<Searcher> searcher_;
  Choices choices_;
  Numbers numbers_;
};

TEST_F(SearcherLaws, FindsSomething) {
  const Problem problem = this->problem(choices_);
  FakeEvaluator evaluator{problem};
  expect_sound(searcher_->search(problem, evaluator), problem, evaluator);
}

TEST_F(SearcherLaws, HandsOnTheWeightsOfItsBestIfItSaysSo) {
  if (!searcher_->hands_on_weights()) GTEST_SKIP() << "it hands on no weights";
  const Problem problem = this->problem(choices_);
  FakeEvaluator evaluator{problem};
  const SearchResult result = searcher_->search(problem, evaluator);
  ASSERT_TRUE(result.best.has_value());
  EXPECT_EQ(evaluator.handed_on(), result.best->text);
}

TEST_F(SearcherLaws, ManagesOneObjective) {
  Problem problem = this->problem(choices_);
  problem.objectives.pop_back();
  FakeEvaluator evaluator{problem};
  try {
    expect_sound(searcher_->search(problem, evaluator), problem, evaluator);
  } catch (const Error& error) {
    GTEST_SKIP() << "it refuses: " << error.what();
  }
}

TEST_F(SearcherLaws, SearchesNumbersOrSaysThatItCannot) {
  if (searcher_->needs_supernet()) GTEST_SKIP() << "it needs a supernet";
  const Problem problem = this->problem(numbers_);
  FakeEvaluator evaluator{problem};
  try {
    expect_sound(searcher_->search(problem, evaluator), problem, evaluator);
  } catch (const Error& error) {
    GTEST_SKIP() << "it refuses: " << error.what();
  }
}

TEST_F(SearcherLaws, FindsTheSameForTheSameSeed) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    Problem problem = this->problem(choices_);
    problem.seed = seed;
    FakeEvaluator once{problem};
    FakeEvaluator again{problem};
    const auto other = make<Searcher>();
    EXPECT_EQ(text_of(searcher_->search(problem, once)), text_of(other->search(problem, again)));
    EXPECT_EQ(once.scored(), again.scored());
  }
}

TEST_F(SearcherLaws, KeepsLimitsThatCanBeKept) {
  // The least of these leaves one network of 27.
  for (const double most : {8.0, 5.0, 3.0, 2.0, 1.0}) {
    SCOPED_TRACE(std::to_string(most) + " ms at most");
    Problem problem = this->problem(choices_);
    problem.limits = {{"latency_ms", most}};
    FakeEvaluator evaluator{problem};
    const SearchResult result = searcher_->search(problem, evaluator);
    expect_sound(result, problem, evaluator);
    ASSERT_TRUE(result.best);
    EXPECT_TRUE(result.best->is_feasible()) << result.best->text;
    EXPECT_LE(result.best->cost.latency_ms.value, most);
  }
}

TEST_F(SearcherLaws, KeepsTwoLimitsAtOnce) {
  Problem problem = this->problem(choices_);
  problem.limits = {{"latency_ms", 4.0},
                    {"params", static_cast<double>(params(choices_.build({0, 0, 2})))}};
  FakeEvaluator evaluator{problem};
  const SearchResult result = searcher_->search(problem, evaluator);
  ASSERT_TRUE(result.best);
  EXPECT_TRUE(result.best->is_feasible()) << result.best->text;
}

TEST_F(SearcherLaws, SaysSoWhenNothingKeepsTheLimits) {
  Problem problem = this->problem(choices_);
  problem.limits = {{"latency_ms", 0.5}};
  FakeEvaluator evaluator{problem};
  const SearchResult result = searcher_->search(problem, evaluator);
  EXPECT_FALSE(result.remarks.empty());
  ASSERT_TRUE(result.best);
  EXPECT_FALSE(result.best->is_feasible());
  EXPECT_EQ(result.best->violation, evaluator.least_violation()) << "it saw a less violating one";
}

TEST_F(SearcherLaws, ScoresNoMoreThanItMay) {
  for (const std::int64_t evaluations : {1, 5, 20}) {
    Problem problem = this->problem(choices_);
    problem.budget.evaluations = evaluations;
    FakeEvaluator evaluator{problem};
    try {
      const SearchResult result = searcher_->search(problem, evaluator);
      EXPECT_TRUE(result.best.has_value()) << evaluations << " evaluations";
      EXPECT_LE(searcher_->expected_evaluations(problem).value_or(0), evaluations);
    } catch (const Error&) {
      // One that cannot stop half way may refuse, as long as it does so before it begins.
      EXPECT_EQ(evaluator.scored(), 0) << evaluations << " evaluations";
    }
    EXPECT_LE(evaluator.scored(), evaluations);
  }
}

TEST_F(SearcherLaws, ExpectsAboutAsManyEvaluationsAsItMakes) {
  const Problem problem = this->problem(choices_);
  const auto expected = searcher_->expected_evaluations(problem);
  if (!expected) GTEST_SKIP() << "it cannot know";
  EXPECT_GE(*expected, 1);
  FakeEvaluator evaluator{problem};
  searcher_->search(problem, evaluator);
  // Candidates that come twice are scored once.
  EXPECT_LE(evaluator.scored(), 2 * *expected);
}

TEST_F(SearcherLaws, LetsTheUserInterrupt) {
  const Problem problem = this->problem(choices_);
  for (const std::int64_t scored : {0, 1, 5}) {
    FakeEvaluator evaluator{problem};
    evaluator.interrupt_after(scored);
    EXPECT_THROW(searcher_->search(problem, evaluator), Interrupted) << scored;
  }
}

TEST_F(SearcherLaws, ServesTwoThreadsAtOnce) {
  const Problem problem = this->problem(choices_);
  FakeEvaluator evaluator{problem};
  const std::string alone = text_of(searcher_->search(problem, evaluator));
  on_two_threads([&](std::size_t) {
    FakeEvaluator own{problem};
    EXPECT_EQ(text_of(searcher_->search(problem, own)), alone);
  });
}

}  // namespace
}  // namespace thimble::conformance
