// The pruning search against an independent, naive telling of TE-NAS's algorithm, and its promise
// on limits, with proxies that are only numbers.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <support/world.hpp>
#include <thimble/core/text.hpp>
#include <thimble/searcher.hpp>

namespace thimble::pruning_test {
namespace {

constexpr int kDecisions = 4;
constexpr int kOptions = 4;
constexpr int kRepeats = 3;

/// Decisions that choose a kernel; the graph matters only for its alive options.
class ToySpace final : public SearchSpace {
 public:
  ToySpace() {
    NodeId x = graph_.input({4, 8, 8});
    for (int i = 0; i < kDecisions; ++i) {
      std::vector<Graph::Option> options;
      for (int k = 0; k < kOptions; ++k)
        options.emplace_back("o" + std::to_string(k), [&, k] {
          return graph_.conv(x, {.out = 4, .kernel = {2 * k + 1, 2 * k + 1}, .padding = {k, k}});
        });
      x = graph_.choice("d" + std::to_string(i), options);
    }
    graph_.set_output(graph_.linear(x, 2));
  }
  const Graph* supernet() const override { return &graph_; }

 private:
  Graph graph_;
};

/// Scores are made of the state's text; costs of a network are sums over its options.
class ToyEvaluator final : public Evaluator {
 public:
  ToyEvaluator(const Problem& problem, std::vector<std::string> proxies)
      : problem_{problem}, proxies_{std::move(proxies)} {}

  std::vector<Evaluation> evaluate(std::span<const Genotype> genotypes) override {
    std::vector<Evaluation> seen;
    for (const Genotype& genotype : genotypes) seen.push_back(cost(genotype));
    return seen;
  }

  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions> states) override {
    std::vector<Evaluation> seen;
    for (const AliveOptions& state : states) {
      Evaluation& evaluation = seen.emplace_back();
      for (const std::string& proxy : proxies_) {
        ProxyValue& value = evaluation.proxies.emplace_back();
        for (int r = 0; r < kRepeats; ++r) value.repeats.push_back(score(state, proxy, r));
        value.value = value.repeats[0];
      }
      ++states_;
    }
    return seen;
  }

  Evaluation cost(const Genotype& genotype) const override {
    Evaluation evaluation;
    evaluation.genotype = genotype;
    evaluation.text = problem_.space.encode(genotype);
    for (std::size_t i = 0; i < genotype.size(); ++i)
      evaluation.macs += price(static_cast<int>(i), static_cast<int>(genotype[i]));
    for (const Limit& limit : problem_.limits)
      evaluation.violation = std::max(0.0, cost_metric(evaluation, limit.metric) / limit.most - 1);
    evaluation.objectives.assign(problem_.objectives.size(), 0);
    evaluation.has_cost = std::ranges::count(genotype, 0) < first_options_that_disconnect;
    if (!evaluation.has_cost) evaluation.invalid = "disconnected";
    evaluation.cost.latency_ms.value = static_cast<double>(evaluation.macs);
    return evaluation;
  }

  const ProxyValue* proxy(const Evaluation& evaluation, std::string_view metric) const override {
    for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
      if (proxies_[i] == metric) return &evaluation.proxies[i];
    return nullptr;
  }
  void log(const std::string&) override {}
  void expect(std::int64_t) override {}

  static std::int64_t price(int decision, int option) { return 10 + 7 * option + 3 * decision; }

  static double score(const AliveOptions& state, const std::string& proxy, int repeat) {
    std::string text = proxy + std::to_string(repeat);
    for (const std::uint64_t mask : state) text += " " + std::to_string(mask);
    // Few different values, so that ties are frequent, as they are with real proxies.
    return 10.0 + static_cast<double>(fingerprint(text) % 7);
  }

  int states() const { return states_; }

  /// With so many first options a network has no cost, as with `none` in a cell.
  int first_options_that_disconnect = kDecisions + 1;

 private:
  const Problem& problem_;
  std::vector<std::string> proxies_;
  int states_ = 0;
};

/// TE-NAS, told plainly: all removals of a round are ranked twice and the ranks added.
Genotype prune_naively(bool minimizes_first) {
  AliveOptions state(kDecisions, 0b1111);
  const auto ranks = [](std::vector<double> keys, const std::vector<double>& means) {
    std::map<std::size_t, double> rank_of;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < keys.size(); ++i) order.push_back(i);
    std::ranges::stable_sort(order, [&](auto a, auto b) { return keys[a] > keys[b]; });
    double rank = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0 && means[order[i]] != means[order[i - 1]]) rank += 1;
      rank_of[order[i]] = rank;
    }
    return rank_of;
  };
  const auto significant = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2e", value);  // three significant digits
    return std::strtod(text, nullptr);
  };
  while (std::ranges::any_of(state, [](auto m) { return __builtin_popcountll(m) > 1; })) {
    std::vector<std::pair<int, int>> removals;
    std::vector<double> mean_a, mean_b, key_a, key_b;
    for (int d = 0; d < kDecisions; ++d) {
      if (__builtin_popcountll(state[d]) < 2) continue;
      for (int o = 0; o < kOptions; ++o) {
        if (((state[d] >> o) & 1U) == 0) continue;
        removals.emplace_back(d, o);
        AliveOptions rest = state;
        rest[d] &= ~(std::uint64_t{1} << o);
        double a = 0, b = 0;
        for (int r = 0; r < kRepeats; ++r) {
          const double full_a = ToyEvaluator::score(state, "a", r);
          const double full_b = ToyEvaluator::score(state, "b", r);
          a += std::round((full_a - ToyEvaluator::score(rest, "a", r)) / full_a * 1000) / 1000;
          b += std::round((ToyEvaluator::score(rest, "b", r) - full_b) / full_b * 1000) / 1000;
        }
        mean_a.push_back((minimizes_first ? a : -a) / kRepeats);
        mean_b.push_back(b / kRepeats);
        key_a.push_back(significant(mean_a.back()));
        key_b.push_back(significant(mean_b.back()));
      }
    }
    auto rank_a = ranks(key_a, mean_a), rank_b = ranks(key_b, mean_b);
    std::map<int, std::pair<double, int>> best;  // by decision: least sum, option
    for (std::size_t i = 0; i < removals.size(); ++i) {
      const auto [d, o] = removals[i];
      const double sum = rank_a[i] + rank_b[i];
      if (!best.contains(d) || sum < best[d].first) best[d] = {sum, o};
    }
    for (const auto& [d, choice] : best) state[d] &= ~(std::uint64_t{1} << choice.second);
  }
  Genotype found;
  for (const std::uint64_t mask : state) found.push_back(__builtin_ctzll(mask));
  return found;
}

class Pruning : public ::testing::Test {
 protected:
  static std::unique_ptr<Searcher> searcher(const std::string& yaml) {
    static PluginLoader loader = testing::plugins();
    return testing::make<Searcher>(loader, "pruning", yaml);
  }
  Problem problem(std::vector<Objective> objectives, std::vector<Limit> limits) const {
    return {space_, space_.decisions(), std::move(objectives), std::move(limits), 1, {}};
  }

  ToySpace space_;
};

TEST_F(Pruning, IsTeNasWhenCostsWeighNothing) {
  for (const bool minimizes : {true, false}) {
    const Problem task = problem({{"a", minimizes ? Direction::minimize : Direction::maximize, 1},
                                  {"b", Direction::maximize, 1},
                                  {"macs", Direction::minimize, 0}},
                                 {});
    ToyEvaluator evaluator{task, {"a", "b"}};
    const auto result = searcher("{drop: []}")->search(task, evaluator);
    EXPECT_EQ(result.best->genotype, prune_naively(minimizes));
    EXPECT_EQ(evaluator.states(), 3 + 4 * kDecisions + 3 * kDecisions + 2 * kDecisions);
  }
}

TEST_F(Pruning, KeepsALimitWhereverItLies) {
  const std::int64_t cheapest = 4 * 10 + 3 * (0 + 1 + 2 + 3);
  for (std::int64_t most = cheapest; most < cheapest + 7 * 3 * kDecisions; most += 3) {
    const Problem task = problem({{"a", Direction::minimize, 1}, {"b", Direction::maximize, 1}},
                                 {{"macs", static_cast<double>(most)}});
    ToyEvaluator evaluator{task, {"a", "b"}};
    const auto result = searcher("{drop: []}")->search(task, evaluator);
    EXPECT_LE(result.best->macs, most);
    EXPECT_GT(evaluator.states(), 0);
  }
}

TEST_F(Pruning, SaysThatALimitCannotBeKeptBeforeItScoresAnything) {
  const Problem task = problem({{"a", Direction::minimize, 1}}, {{"macs", 57}});
  ToyEvaluator evaluator{task, {"a"}};
  const auto result = searcher("{drop: []}")->search(task, evaluator);
  EXPECT_EQ(evaluator.states(), 0);
  EXPECT_EQ(result.best->genotype, (Genotype{0, 0, 0, 0})) << "the least violating one";
  EXPECT_THAT(result.remarks, ::testing::Contains(::testing::HasSubstr("cannot be met")));
}

TEST_F(Pruning, GoesForTheCheapestWhenOnlyCostCounts) {
  const Problem task =
      problem({{"a", Direction::minimize, 0}, {"macs", Direction::minimize, 1}}, {});
  ToyEvaluator evaluator{task, {"a"}};
  EXPECT_EQ(searcher("{drop: []}")->search(task, evaluator).best->genotype, (Genotype{0, 0, 0, 0}));
}

TEST_F(Pruning, SeesCostsThoughTheFirstOptionsAreNoNetwork) {
  for (const std::string params : {"{drop: []}", "{drop: [], score: true}"}) {
    const auto found = [&](Direction direction) {
      const Problem task =
          problem({{"a", Direction::minimize, 0}, {"latency_ms", direction, 1}}, {});
      ToyEvaluator evaluator{task, {"a"}};
      evaluator.first_options_that_disconnect = kDecisions;
      return searcher(params)->search(task, evaluator).best->genotype;
    };
    EXPECT_EQ(found(Direction::maximize), (Genotype{3, 3, 3, 3})) << params;
    const Genotype cheap = found(Direction::minimize);
    EXPECT_EQ(std::ranges::count(cheap, 0), kDecisions - 1) << params;
    EXPECT_EQ(std::ranges::count(cheap, 1), 1) << params << ": one must lead through";
  }
}

TEST_F(Pruning, RefusesToAdaptWeightsThatAreNothing) {
  for (const char* const metric : {"macs", "a"}) {
    const double weight = metric == std::string{"macs"} ? 0 : 1;
    const Problem task = problem(
        {{"b", Direction::minimize, 1}, {metric, Direction::minimize, weight}}, {{"macs", 90}});
    try {
      searcher("{adapt_weights: true}")->expected_evaluations(task);
      FAIL() << "it would try the same again and again";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("'adapt_weights' has nothing to adapt"));
    }
  }
}

TEST_F(Pruning, RanksARoundsRemovalsByAnAggregateOfTheirGains) {
  Problem task = problem({{"cheap", Direction::maximize, 1}}, {});
  task.aggregates = {{"cheap", AggregateKind::rank_sum, {{"macs", Direction::minimize}}}};
  ToyEvaluator evaluator{task, {"a"}};
  EXPECT_EQ(searcher("{drop: []}")->search(task, evaluator).best->genotype, (Genotype{0, 0, 0, 0}));
  task.objectives[0].direction = Direction::minimize;
  EXPECT_EQ(searcher("{drop: []}")->search(task, evaluator).best->genotype, (Genotype{3, 3, 3, 3}));
  task.aggregates = {{"cheap", AggregateKind::vote, {{"a", Direction::minimize}}}};
  const Problem alone = problem({{"a", Direction::maximize, 1}}, {});
  EXPECT_EQ(searcher("{drop: []}")->search(task, evaluator).best->genotype,
            searcher("{drop: []}")->search(alone, evaluator).best->genotype);
}

TEST_F(Pruning, AdaptsTheWeightsUntilTheLimitIsMet) {
  const Problem task =
      problem({{"a", Direction::minimize, 1}, {"macs", Direction::minimize, 1}}, {{"macs", 90}});
  ToyEvaluator evaluator{task, {"a"}};
  const auto result = searcher("{drop: [], adapt_weights: true}")->search(task, evaluator);
  EXPECT_LE(result.best->macs, 90);
  EXPECT_THAT(result.remarks, ::testing::Contains(::testing::HasSubstr("weights")));
}

}  // namespace
}  // namespace thimble::pruning_test
