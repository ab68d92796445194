#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/search/evaluation.hpp>

namespace thimble::aggregate_test {
namespace {

using Numbers = std::vector<double>;
using ::testing::DoubleEq;
using ::testing::ElementsAre;

constexpr double kUnknown = -std::numeric_limits<double>::infinity();

TEST(RankSum, AddsAscendingRanks) {
  // Ranks of the first: 1 2 3 4; of the second: 4 2.5 2.5 1.
  EXPECT_THAT(combine(AggregateKind::rank_sum, {{10, 20, 30, 40}, {9, 5, 5, 1}}),
              ElementsAre(5, 4.5, 5.5, 5));
}

TEST(LogRankSum, PunishesABadRankMoreThanAGoodOneRewards) {
  const auto values = combine(AggregateKind::log_rank_sum, {{10, 20, 30, 40}, {9, 5, 5, 1}});
  EXPECT_THAT(values, ElementsAre(DoubleEq(std::log(0.25)), DoubleEq(std::log(0.5 * 0.625)),
                                  DoubleEq(std::log(0.75 * 0.625)), DoubleEq(std::log(0.25))));
}

TEST(LogRankSum, IsZeroForOneThatIsBestInEverything) {
  EXPECT_THAT(combine(AggregateKind::log_rank_sum, {{1, 2}, {3, 4}}),
              ElementsAre(DoubleEq(2 * std::log(0.5)), 0));
}

TEST(Vote, CountsWhomTheMajorityPutsBelow) {
  // 3 beats everybody; 0 and 1 have a vote each and a tie in the third metric.
  EXPECT_THAT(combine(AggregateKind::vote, {{1, 2, 0, 3}, {2, 1, 0, 3}, {5, 5, 0, 3}}),
              ElementsAre(1, 1, 0, 3));
}

TEST(Vote, MayGoInACircle) {
  EXPECT_THAT(combine(AggregateKind::vote, {{1, 2, 3}, {2, 3, 1}, {3, 1, 2}}),
              ElementsAre(1, 1, 1));
}

TEST(Combine, PutsOneThatAMemberDoesNotKnowLastInAll) {
  // The last is the best in the first metric. It takes rank 1 all the same, and counts in N.
  const std::vector<Numbers> members{{1, 2, 9}, {2, 1, kUnknown}};
  EXPECT_THAT(combine(AggregateKind::rank_sum, members), ElementsAre(5, 5, kUnknown));
  EXPECT_THAT(combine(AggregateKind::log_rank_sum, members),
              ElementsAre(DoubleEq(std::log(2.0 / 3)), DoubleEq(std::log(2.0 / 3)), kUnknown));
  EXPECT_THAT(combine(AggregateKind::vote, members), ElementsAre(1, 1, kUnknown));
}

TEST(Combine, ManagesPopulationsOfNoneAndOne) {
  for (const auto& [name, kind] : names_of(AggregateKind{})) {
    EXPECT_TRUE(combine(kind, {{}, {}}).empty()) << name;
    EXPECT_EQ(combine(kind, {{7}}).size(), 1U) << name;
  }
}

/// Populations of random numbers with ties and unknown ones.
class CombineLaws : public ::testing::TestWithParam<std::pair<std::string, AggregateKind>> {
 protected:
  std::vector<Numbers> draw() {
    std::vector<Numbers> members(1 + random_.below(4));
    const auto size = random_.below(12);
    for (Numbers& member : members)
      for (std::uint64_t i = 0; i < size; ++i)
        member.push_back(random_.below(8) == 0 ? kUnknown : static_cast<double>(random_.below(6)));
    return members;
  }
  Numbers combined(const std::vector<Numbers>& members) const {
    return combine(GetParam().second, members);
  }

  Random random_{3};
};

TEST_P(CombineLaws, MonotoneTransformsOfAMemberChangeNothing) {
  for (int round = 0; round < 300; ++round) {
    const auto members = draw();
    auto other = members;
    for (double& value : other.back())
      if (value != kUnknown) value = std::exp(value) - 100;
    EXPECT_EQ(combined(members), combined(other));
  }
}

TEST_P(CombineLaws, PermutingThePopulationPermutesTheValues) {
  for (int round = 0; round < 300; ++round) {
    const auto members = draw();
    const auto size = static_cast<std::int64_t>(members[0].size());
    const auto order = random_.sample(size, size);
    const auto permuted = [&](const Numbers& values) {
      Numbers moved;
      for (const std::int64_t i : order) moved.push_back(values[static_cast<std::size_t>(i)]);
      return moved;
    };
    std::vector<Numbers> other;
    for (const Numbers& member : members) other.push_back(permuted(member));
    EXPECT_EQ(permuted(combined(members)), combined(other));
  }
}

TEST_P(CombineLaws, BetterInEverythingIsBetter) {
  for (int round = 0; round < 300; ++round) {
    const auto members = draw();
    const auto values = combined(members);
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t j = 0; j < values.size(); ++j) {
        const bool is_better = std::ranges::all_of(members, [&](const Numbers& member) {
          return member[i] > member[j] && member[j] != kUnknown;
        });
        EXPECT_TRUE(!is_better || values[i] > values[j]) << values[i] << " " << values[j];
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CombineLaws, ::testing::ValuesIn(names_of(AggregateKind{})),
                         [](const auto& kind) { return kind.param.first; });

TEST(Aggregate, TakesProxiesAndCostsInTheirDirections) {
  std::vector<Evaluation> population(3);
  for (std::size_t i = 0; i < 3; ++i) {
    population[i].macs = 100 * static_cast<std::int64_t>(i);
    population[i].proxies = {{.value = static_cast<double>(i), .repeats = {}, .invalid = {}}};
  }
  population.emplace_back().macs = 1;  // runs no proxy
  const MetricNames names{{"good"}, {"both", "cheap"}};
  aggregate(population,
            {{"both",
              AggregateKind::rank_sum,
              {{"good", Direction::maximize}, {"macs", Direction::minimize}}},
             {"cheap", AggregateKind::rank_sum, {{"macs", Direction::minimize}}}},
            names);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(metric_of(population[i], "both", names), 6);
  EXPECT_TRUE(std::isnan(metric_of(population[3], "both", names)));
  EXPECT_EQ(metric_of(population[0], "cheap", names), 4);
  EXPECT_EQ(metric_of(population[3], "cheap", names), 3);
}

}  // namespace
}  // namespace thimble::aggregate_test
