// Searchers for one network, on landscapes that they should climb.

#include <support/formula.hpp>
#include <support/world.hpp>
#include <thimble/searcher.hpp>

namespace thimble::single_searchers_test {
namespace {

using testing::categorical;
using testing::Decisions;
using testing::Formula;
using testing::sum;

std::unique_ptr<Searcher> searcher(const std::string& name, const std::string& yaml) {
  static PluginLoader loader = testing::plugins();
  return testing::make<Searcher>(loader, name, yaml);
}

class SingleSearchers : public ::testing::TestWithParam<std::string> {};

TEST_P(SingleSearchers, ClimbALandscapeThatRandomDrawsDoNot) {
  // 5^10 networks; neighbouring decisions should differ by two, so that no decision is by itself.
  const Decisions space{categorical(10)};
  const auto loss = [](const Genotype& x) {
    double total = 0;
    for (std::size_t i = 1; i < x.size(); ++i) total += std::abs(std::abs(x[i] - x[i - 1]) - 2);
    return std::vector<double>{total, sum(x)};
  };
  Problem task = testing::problem(space);
  task.objectives.pop_back();
  const auto least = [&](const std::string& name, const std::string& yaml, std::uint64_t seed) {
    task.seed = seed;
    Formula evaluator{space, [&](const Genotype& x) { return std::vector{loss(x)[0]}; }};
    const auto found = searcher(name, yaml)->search(task, evaluator);
    EXPECT_EQ(evaluator.scored.size(), 800U);
    return found.best->objectives[0];
  };
  double own = 0, random = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    own += least(GetParam(), "{evaluations: 800}", seed);
    random += least("random", "{samples: 800}", seed);
  }
  EXPECT_LT(own, 0.5 * random);
}

TEST_P(SingleSearchers, FindTheFewNetworksThatKeepALimit) {
  const Decisions space{categorical(12)};
  Formula evaluator = testing::with_sum_up_to(3, space);
  const Problem task = testing::problem(space);
  const auto found = searcher(GetParam(), "{evaluations: 30}")->search(task, evaluator);
  ASSERT_TRUE(found.best);
  EXPECT_TRUE(found.best->is_feasible());
}

INSTANTIATE_TEST_SUITE_P(Plugins, SingleSearchers,
                         ::testing::Values("regularized_evolution", "local_search"),
                         [](const auto& test) { return test.param; });

TEST(RandomSearch, RemarksThatNothingIsSetAsideWhereNothingIsTrained) {
  const Decisions space{categorical(3)};
  const Problem task = testing::problem(space);
  const auto remarks = [&](const std::string& yaml) {
    Formula evaluator{space, [](const Genotype&) { return std::vector<double>{0, 0}; }};
    return searcher("random", yaml)->search(task, evaluator).remarks;
  };
  EXPECT_EQ(remarks("{samples: 2, validation: 0.3}"),
            std::vector<std::string>{"'validation' changes nothing: it is for trained: true"});
  EXPECT_TRUE(remarks("{samples: 2}").empty());
}

TEST(LocalSearch, StepsToEveryKindOfNeighbour) {
  const Decisions space{{{"kind", Decision::Type::categorical, {"a", "b", "c"}, 0, 0},
                         {"width", Decision::Type::continuous, {}, 0.25, 1.25},
                         {"depth", Decision::Type::integer, {}, -2, 5}}};
  Formula evaluator{space, [](const Genotype&) { return std::vector<double>{0, 0}; }};
  const Problem task = testing::problem(space);
  searcher("local_search", "{evaluations: 4, step: 0.25}")->search(task, evaluator);
  ASSERT_GE(evaluator.genotypes().size(), 4U);
  const Genotype& start = evaluator.genotypes()[0];
  for (std::size_t i = 1; i < evaluator.genotypes().size(); ++i) {
    const Genotype& other = evaluator.genotypes()[i];
    const int changed = (other[0] != start[0]) + (other[1] != start[1]) + (other[2] != start[2]);
    EXPECT_EQ(changed, 1) << "a neighbour differs in one decision";
    EXPECT_LE(std::abs(other[1] - start[1]), 0.25);
    EXPECT_LE(std::abs(other[2] - start[2]), 1);
  }
}

}  // namespace
}  // namespace thimble::single_searchers_test
