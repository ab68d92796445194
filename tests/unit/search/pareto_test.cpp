#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble::pareto_test {
namespace {

const std::vector<Objective> kTwo{{"a", Direction::minimize, 1}, {"b", Direction::maximize, 1}};

Evaluation point(const std::string& text, std::vector<double> objectives, double violation = 0) {
  Evaluation evaluation;
  evaluation.text = text;
  evaluation.objectives = std::move(objectives);
  evaluation.violation = violation;
  return evaluation;
}

std::vector<std::string> texts_of(const std::vector<Evaluation>& evaluations) {
  std::vector<std::string> texts;
  for (const Evaluation& evaluation : evaluations) texts.push_back(evaluation.text);
  return texts;
}

using Texts = std::vector<std::string>;

/// Is `a` at least as good everywhere and better somewhere, by the words of the definition?
bool beats(const Evaluation& a, const Evaluation& b, const std::vector<Objective>& objectives) {
  bool is_better = false;
  for (std::size_t k = 0; k < objectives.size(); ++k) {
    double mine = a.objectives[k], other = b.objectives[k];
    if (objectives[k].direction == Direction::minimize) mine = -mine, other = -other;
    if (std::isnan(mine) && !std::isnan(other)) return false;
    if (std::isnan(other)) {
      is_better = is_better || !std::isnan(mine);
      continue;
    }
    if (mine < other) return false;
    is_better = is_better || mine > other;
  }
  return is_better;
}

Texts naive_front(const std::vector<Evaluation>& all, const std::vector<Objective>& objectives) {
  double least = INFINITY;
  for (const Evaluation& each : all)
    if (each.is_valid()) least = std::min(least, each.violation);
  Texts front;
  for (const Evaluation& each : all) {
    if (!each.is_valid() || each.violation > least) continue;
    if (std::ranges::find(front, each.text) != front.end()) continue;
    const bool is_beaten = std::ranges::any_of(all, [&](const Evaluation& other) {
      return other.is_valid() && other.violation <= least && beats(other, each, objectives);
    });
    if (!is_beaten) front.push_back(each.text);
  }
  return front;
}

TEST(ParetoFront, EqualsBruteForceOnRandomPoints) {
  Random random{1};
  for (int round = 0; round < 1500; ++round) {
    std::vector<Objective> objectives;
    for (std::uint64_t k = 0; k <= random.below(4); ++k)
      objectives.push_back(
          {"m", random.below(2) == 0 ? Direction::minimize : Direction::maximize, 1});
    const bool has_feasible = random.below(3) != 0;
    std::vector<Evaluation> all;
    for (std::uint64_t i = 0; i < random.below(40); ++i) {
      std::vector<double> values;
      for (std::size_t k = 0; k < objectives.size(); ++k)
        values.push_back(random.below(12) == 0 ? kNotANumber
                                               : static_cast<double>(random.below(6)));
      all.push_back(point(std::to_string(i), values,
                          static_cast<double>(random.below(3)) + (has_feasible ? 0 : 0.5)));
      if (random.below(8) == 0) all.back().invalid = "broken";
      if (random.below(8) == 0) all.push_back(all.back());  // the same candidate once more
    }
    SCOPED_TRACE(round);
    EXPECT_EQ(texts_of(pareto_front(all, objectives)), naive_front(all, objectives));
    for (const Evaluation& a : all)
      for (const Evaluation& b : all)
        ASSERT_EQ(dominates(a, b, objectives), beats(a, b, objectives));
  }
}

TEST(ParetoFront, KeepsWhatNoneDominatesInItsOrder) {
  EXPECT_EQ(texts_of(pareto_front(
                {point("x", {3, 3}), point("y", {1, 1}), point("z", {3, 2}), point("same", {1, 1})},
                kTwo)),
            (Texts{"x", "y", "same"}));
  EXPECT_TRUE(pareto_front({}, kTwo).empty());
}

TEST(ParetoFront, TakesUnknownValuesAsTheWorst) {
  EXPECT_EQ(
      texts_of(pareto_front({point("unknown", {kNotANumber, 5}), point("known", {9, 5})}, kTwo)),
      Texts{"known"});
  EXPECT_EQ(texts_of(pareto_front({point("alone", {kNotANumber, kNotANumber})}, kTwo)),
            Texts{"alone"});
}

TEST(ParetoFront, KeepsTheLeastViolatingWhenNoneIsFeasible) {
  EXPECT_EQ(texts_of(pareto_front({point("far", {0, 9}, 2), point("near", {5, 5}, 1)}, kTwo)),
            Texts{"near"});
  EXPECT_EQ(texts_of(pareto_front({point("far", {0, 9}, 2), point("feasible", {9, 0})}, kTwo)),
            Texts{"feasible"});
}

TEST(DenseRanks, BeginAtTheLargestAndShareAmongEquals) {
  EXPECT_EQ(dense_ranks({5, 9, 5, 1, 9}), (std::vector<int>{1, 0, 1, 2, 0}));
  EXPECT_TRUE(dense_ranks({}).empty());
  const double worst = -INFINITY;
  EXPECT_EQ(dense_ranks({worst, 1, worst}), (std::vector<int>{1, 0, 1}));
}

TEST(BestByRanks, WeighsRanksAndNotValues) {
  // By a: y z x; by b: x y z. Huge differences in b must not matter.
  const std::vector<Evaluation> all{point("x", {3, 1e9}), point("y", {1, 2}), point("z", {2, 1})};
  EXPECT_EQ(best_by_ranks(all, kTwo), 1U);
  auto heavy = kTwo;
  heavy[1].weight = 3;
  EXPECT_EQ(best_by_ranks(all, heavy), 0U);
  heavy[0].weight = heavy[1].weight = 0;
  EXPECT_EQ(best_by_ranks(all, heavy), 0U) << "ties go to the earlier one";
}

TEST(BestByRanks, PrefersFeasibleToLessViolatingToInvalid) {
  Evaluation broken = point("broken", {0, 9});
  broken.invalid = "no path";
  const Evaluation far = point("far", {0, 9}, 2), near = point("near", {9, 0}, 1),
                   feasible = point("feasible", {9, 0});
  EXPECT_EQ(best_by_ranks({broken, far, near, feasible}, kTwo), 3U);
  EXPECT_EQ(best_by_ranks({broken, far, near}, kTwo), 2U);
  EXPECT_EQ(best_by_ranks({broken, far}, kTwo), 1U);
}

TEST(CostMetrics, AreReadFromTheEvaluation) {
  Evaluation evaluation;
  evaluation.macs = 7;
  evaluation.params = 8;
  EXPECT_EQ(cost_metric(evaluation, "macs"), 7);
  EXPECT_EQ(cost_metric(evaluation, "params"), 8);
  for (const char* const metric : {"latency_ms", "energy_mj", "ram_bytes", "rom_bytes"})
    EXPECT_TRUE(std::isnan(cost_metric(evaluation, metric))) << "unknown without hardware";
  evaluation.has_cost = true;
  evaluation.cost.latency_ms.value = 1;
  evaluation.cost.energy_mj.value = 2;
  evaluation.cost.ram_bytes.value = 3;
  evaluation.cost.rom_bytes.value = 4;
  EXPECT_EQ(cost_metric(evaluation, "latency_ms"), 1);
  EXPECT_EQ(cost_metric(evaluation, "energy_mj"), 2);
  EXPECT_EQ(cost_metric(evaluation, "ram_bytes"), 3);
  EXPECT_EQ(cost_metric(evaluation, "rom_bytes"), 4);
  EXPECT_TRUE(std::isnan(cost_metric(evaluation, "ntk")));
  EXPECT_FALSE(is_cost_metric("ntk"));
  for (const CostMetric& metric : cost_metrics()) EXPECT_TRUE(is_cost_metric(metric.name));
}

}  // namespace
}  // namespace thimble::pareto_test
