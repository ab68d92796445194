// pagmo's algorithms behind the searchers' interface.

#include <cmath>
#include <set>

#include <gmock/gmock.h>

#include <support/formula.hpp>
#include <support/world.hpp>
#include <thimble/search/hypervolume.hpp>
#include <thimble/searcher.hpp>

namespace thimble::pagmo_test {
namespace {

using testing::categorical;
using testing::Decisions;
using testing::Formula;
using ::testing::HasSubstr;
using testing::sum;

std::unique_ptr<Searcher> searcher(const std::string& name, const std::string& yaml) {
  static PluginLoader loader = testing::plugins();
  return testing::make<Searcher>(loader, name, yaml);
}

class Pagmo : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Searcher> make(int evaluations, int population) const {
    return searcher("pagmo", "{algorithm: " + GetParam() +
                                 ", evaluations: " + std::to_string(evaluations) +
                                 ", population: " + std::to_string(population) + "}");
  }
};

/// ZDT1 (Zitzler, Deb and Thiele 2000).
std::vector<double> zdt1(const Genotype& x) {
  const double g = 1 + 9 * (sum(x) - x[0]) / static_cast<double>(x.size() - 1);
  return {x[0], g * (1 - std::sqrt(x[0] / g))};
}

TEST_P(Pagmo, ComesNearerToAFrontThanRandomDraws) {
  const Decisions space{testing::continuous(8)};
  double own = 0, random = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Problem task = testing::problem(space, seed);
    const auto measured = [&](const Searcher& searcher) {
      Formula evaluator{space, zdt1};
      const auto found = searcher.search(task, evaluator);
      EXPECT_EQ(evaluator.scored.size(), 600U);
      return hypervolume(points_of(found.front, task.objectives), {2, 8});
    };
    own += measured(*make(600, 40));
    random += measured(*searcher("random", "{samples: 600}"));
  }
  EXPECT_GT(own, random);
}

TEST_P(Pagmo, ReachesEveryValueOfEveryDecision) {
  const Decisions space{{{"kind", Decision::Type::categorical, {"a", "b", "c"}, 0, 0},
                         {"width", Decision::Type::continuous, {}, 0.25, 1, 100},
                         {"only", Decision::Type::categorical, {"one"}, 0, 0},
                         {"depth", Decision::Type::integer, {}, -2, 2}}};
  Formula evaluator{space, [](const Genotype& x) {
                      return std::vector<double>{x[0] + x[1] * x[3], x[1] - x[3]};
                    }};
  make(100, 40)->search(testing::problem(space), evaluator);
  std::set<double> kinds, depths;
  for (const Genotype& x : evaluator.genotypes()) {
    kinds.insert(x[0]), depths.insert(x[3]);
    EXPECT_EQ(x[1], space.decisions()[1].nearest(x[1]));
    EXPECT_EQ(x[2], 0);
  }
  EXPECT_EQ(kinds, (std::set<double>{0, 1, 2}));
  EXPECT_EQ(depths, (std::set<double>{-2, -1, 0, 1, 2}));
}

TEST_P(Pagmo, ScoresOnlyWhatKeepsTheLimits) {
  const Decisions space{categorical(8)};
  Formula evaluator = testing::with_sum_up_to(10, space);
  const auto found = make(60, 40)->search(testing::problem(space), evaluator);
  ASSERT_TRUE(found.best);
  EXPECT_TRUE(found.best->is_feasible());
  for (const Genotype& x : evaluator.genotypes()) EXPECT_LE(sum(x), 10);
}

TEST_P(Pagmo, RefusesAggregatesAndSingleObjectives) {
  const Decisions space{categorical(4)};
  Problem task = testing::problem(space);
  task.aggregates = {{task.objectives[0].metric, AggregateKind::rank_sum, {}}};
  const auto reason = [&] {
    try {
      make(60, 40)->expected_evaluations(task);
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{};
  };
  EXPECT_THAT(reason(), HasSubstr("aggregates are relative"));
  task.aggregates.clear();
  task.objectives.resize(1);
  EXPECT_THAT(reason(), HasSubstr("two objectives or more"));
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Pagmo, ::testing::Values("nspso", "maco"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace thimble::pagmo_test
