// NSGA-II against pagmo's own on a problem that both can solve, and what pagmo's cannot: limits,
// no network twice, decisions of every type.

#include <cmath>
#include <set>

#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <pagmo/problems/dtlz.hpp>
#include <pagmo/problems/zdt.hpp>

#include <support/formula.hpp>
#include <support/world.hpp>
#include <thimble/search/hypervolume.hpp>
#include <thimble/searcher.hpp>

namespace thimble::nsga2_test {
namespace {

using testing::categorical;
using testing::continuous;
using testing::Decisions;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::Formula;
using ::testing::HasSubstr;
using testing::problem;
using ::testing::SizeIs;
using testing::sum;

std::unique_ptr<Searcher> nsga2(const std::string& yaml) {
  static PluginLoader loader = testing::plugins();
  return testing::make<Searcher>(loader, "nsga2", yaml);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

TEST(Nsga2, IsAsGoodAsPagmosWherePagmosCan) {
  const Decisions space{continuous(8)};
  const pagmo::problem zdt{pagmo::zdt{1, 8}};
  const Point reference{2, 2};
  std::vector<double> ours, theirs;
  for (unsigned seed = 1; seed <= 101; ++seed) {
    const Problem task = problem(space, seed);
    Formula evaluator{space, [&](const Genotype& x) { return zdt.fitness(x); }};
    const auto found = nsga2("{evaluations: 1000, population: 40}")->search(task, evaluator);
    ours.push_back(hypervolume(points_of(found.front, task.objectives), reference));
    EXPECT_EQ(evaluator.scored.size(), 1000U);
    const pagmo::algorithm algorithm{pagmo::nsga2{24, 0.95, 10, 1.0 / 8, 50, seed}};
    theirs.push_back(
        hypervolume(algorithm.evolve(pagmo::population{zdt, 40, seed}).get_f(), reference));
  }
  // A quarter of the seeds lies 4 % above the median, a quarter 5 % below.
  EXPECT_GE(median(ours), 0.97 * median(theirs));
}

/// Where nearly all networks are on the front, crowding pushes nowhere.
TEST(Nsga2, GainsHypervolumeInManyObjectivesWhereThatCounts) {
  const Decisions space{continuous(8)};
  const pagmo::problem dtlz{pagmo::dtlz{2, 8, 5}};
  const Point reference(5, 1.5);
  const auto found_by = [&](const std::string& within, unsigned seed) {
    Problem task = problem(space, seed);
    for (const char* const more : {"h", "i", "j"})
      task.objectives.push_back({more, Direction::minimize, 1});
    Formula evaluator{space, [&](const Genotype& x) { return dtlz.fitness(x); }};
    const auto found = nsga2("{evaluations: 200, population: 40, within: " + within + "}")
                           ->search(task, evaluator);
    EXPECT_EQ(evaluator.scored.size(), 200U);
    return hypervolume(points_of(found.front, task.objectives), reference);
  };
  int better = 0;
  for (unsigned seed = 1; seed <= 10; ++seed)
    if (found_by("hypervolume", seed) > found_by("crowding", seed)) ++better;
  EXPECT_GE(better, 9);
}

class Profiles : public ::testing::TestWithParam<const char*> {};

TEST_P(Profiles, KeepEveryDecisionWhatItIs) {
  const Decisions space{{{"kind", Decision::Type::categorical, {"a", "b", "c"}, 0, 0},
                         {"width", Decision::Type::continuous, {}, 0.25, 1, 100},
                         {"only", Decision::Type::categorical, {"one"}, 0, 0},
                         {"depth", Decision::Type::integer, {}, -2, 5},
                         {"four", Decision::Type::integer, {}, 4, 4}}};
  Formula evaluator{space, [](const Genotype& x) {
                      return std::vector<double>{x[0] + x[1] * x[3], x[1] - x[3]};
                    }};
  const std::string settings = GetParam();
  nsga2("{evaluations: 200, " + settings + "}")->search(problem(space), evaluator);
  const std::size_t children = settings.find("children") != std::string::npos ? 2 : 20;
  EXPECT_EQ(evaluator.batches.front(), 20U);
  evaluator.batches.erase(evaluator.batches.begin());
  EXPECT_THAT(evaluator.batches, Each(children)) << "a generation is one batch";
  std::set<double> kinds, depths;
  for (const Genotype& x : evaluator.genotypes()) {
    kinds.insert(x[0]), depths.insert(x[3]);
    EXPECT_EQ(x[1], space.decisions()[1].nearest(x[1]));
    EXPECT_EQ(x[2], 0);
    EXPECT_EQ(x[4], 4);
  }
  EXPECT_THAT(kinds, ElementsAre(0, 1, 2));
  EXPECT_THAT(depths, ElementsAre(-2, -1, 0, 1, 2, 3, 4, 5));
}

TEST_P(Profiles, FindTheFewNetworksThatKeepALimit) {
  // Two in a million do; a thousand random draws meet none.
  const Decisions space{categorical(12)};
  Formula evaluator = testing::with_sum_up_to(3, space);
  const auto found = nsga2("{evaluations: 60, " + std::string{GetParam()} + "}")
                         ->search(problem(space), evaluator);
  ASSERT_TRUE(found.best);
  EXPECT_TRUE(found.best->is_feasible());
  EXPECT_THAT(found.remarks, SizeIs(0));
}

/// Where all of a front are equal, so that nothing counts within it.
TEST_P(Profiles, SearchForOneObjective) {
  const Decisions space{categorical(6)};
  Problem task = problem(space);
  task.objectives.pop_back();
  Formula evaluator{space, [](const Genotype& x) { return std::vector<double>{sum(x)}; }};
  const auto found =
      nsga2("{evaluations: 300, " + std::string{GetParam()} + "}")->search(task, evaluator);
  EXPECT_EQ(found.best->objectives, std::vector<double>{0});
  EXPECT_THAT(found.front, SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Nsga2, Profiles,
                         ::testing::Values("population: 20",
                                           "population: 20, children: 2, within: hypervolume"));

TEST(Nsga2, ReturnsTheNearestToALimitThatNobodyKeepsAndSaysSo) {
  const Decisions space{categorical(6)};
  Formula evaluator{space,
                    [](const Genotype&) {
                      return std::vector<double>{0, 0};
                    },
                    [](const Genotype& x) { return 0.5 + std::abs(sum(x) - 1); }};
  const auto found = nsga2("{}")->search(problem(space), evaluator);
  EXPECT_THAT(evaluator.batches, SizeIs(0));
  EXPECT_EQ(found.best->violation, evaluator.least_violation);
  EXPECT_EQ(found.best->violation, 0.5);
  EXPECT_GT(found.front.size(), 1U) << "several networks are equally near";
  EXPECT_THAT(found.remarks, ElementsAre(HasSubstr("exceed them by 50.0 %")));
}

TEST(Nsga2, JudgesParentsAndChildrenTogether) {
  const Decisions space{continuous(3)};
  Formula evaluator{space, [](const Genotype& x) {
                      return std::vector<double>{x[0], x[1] - x[0]};
                    }};
  nsga2("{evaluations: 30, population: 10}")->search(problem(space), evaluator);
  EXPECT_THAT(evaluator.judged, ElementsAre(10, 20, 20, 30));
}

TEST(Nsga2, LogsTheHypervolumeOfEachGeneration) {
  const Decisions space{continuous(4)};
  Formula evaluator{space, [](const Genotype& x) {
                      return std::vector<double>{x[0] + x[2], x[1] * x[1] + x[3] - x[0]};
                    }};
  nsga2("{evaluations: 200, population: 20}")->search(problem(space), evaluator);
  ASSERT_THAT(evaluator.lines, SizeIs(10));
  EXPECT_THAT(evaluator.lines[1], HasSubstr("generation 1, 40 networks scored"));
  const auto logged = [&](std::size_t generation) {
    const std::string& line = evaluator.lines[generation];
    return std::stod(line.substr(line.rfind(' ')));
  };
  EXPECT_GT(logged(0), 0);
  EXPECT_GT(logged(9), 1.1 * logged(0)) << "ten generations improve on the first";
}

TEST(Nsga2, ToleratesObjectivesThatAreEqualForAllOrUnknown) {
  const Decisions space{categorical(4)};
  Formula evaluator{space, [](const Genotype& x) {
                      return std::vector<double>{3, x[0] == 0 ? kNotANumber : x[1] + x[2]};
                    }};
  const auto found = nsga2("{evaluations: 100, population: 12}")->search(problem(space), evaluator);
  EXPECT_EQ(found.best->objectives, (std::vector<double>{3, 0}));
}

}  // namespace
}  // namespace thimble::nsga2_test
