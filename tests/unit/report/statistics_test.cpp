#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/report/statistics.hpp>

namespace thimble::statistics_test {
namespace {

using Numbers = std::vector<double>;

/// By its definition, over all pairs.
double naive_tau(const Numbers& x, const Numbers& y) {
  double difference = 0, untied_x = 0, untied_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int along_x = (x[i] > x[j]) - (x[i] < x[j]);
      const int along_y = (y[i] > y[j]) - (y[i] < y[j]);
      difference += along_x * along_y;
      untied_x += along_x != 0 ? 1 : 0;
      untied_y += along_y != 0 ? 1 : 0;
    }
  }
  return difference / std::sqrt(untied_x * untied_y);
}

/// The mean place among equals, by counting.
Numbers naive_ranks(const Numbers& values) {
  Numbers ranks;
  for (const double value : values) {
    double below = 0, equal = 0;
    for (const double other : values) {
      below += other < value ? 1 : 0;
      equal += other == value ? 1 : 0;
    }
    ranks.push_back(below + (equal - 1) / 2);
  }
  return ranks;
}

double naive_rho(const Numbers& x, const Numbers& y) {
  const Numbers a = naive_ranks(x), b = naive_ranks(y);
  const auto n = static_cast<double>(a.size());
  double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sa += a[i];
    sb += b[i];
    saa += a[i] * a[i];
    sbb += b[i] * b[i];
    sab += a[i] * b[i];
  }
  return (n * sab - sa * sb) / std::sqrt((n * saa - sa * sa) * (n * sbb - sb * sb));
}

void expect_same(double ours, double naive) {
  if (std::isnan(naive)) {
    EXPECT_TRUE(std::isnan(ours)) << ours;
  } else {
    EXPECT_NEAR(ours, naive, 1e-9);
  }
}

TEST(Correlation, EqualsItsDefinitionOnRandomNumbersWithTies) {
  Random random{1};
  for (int round = 0; round < 2000; ++round) {
    const auto size = random.below(40);
    const auto values = 1 + random.below(20);  // the fewer, the more ties
    Numbers x, y;
    for (std::uint64_t i = 0; i < size; ++i) {
      x.push_back(static_cast<double>(random.below(values)));
      y.push_back(random.below(3) == 0 ? x.back() : static_cast<double>(random.below(values)));
    }
    SCOPED_TRACE(round);
    expect_same(kendall_tau(x, y), naive_tau(x, y));
    expect_same(spearman_rho(x, y), naive_rho(x, y));
  }
}

TEST(Correlation, EqualsPublishedValues) {
  // scipy.stats.kendalltau's documented example, tau-b with ties.
  EXPECT_NEAR(kendall_tau(Numbers{12, 2, 1, 12, 2}, Numbers{1, 4, 7, 1, 0}), -0.47140452079103173,
              1e-12);
  // scipy.stats.spearmanr's documented example.
  EXPECT_NEAR(spearman_rho(Numbers{1, 2, 3, 4, 5}, Numbers{5, 6, 7, 8, 7}), 0.8207826816681233,
              1e-12);
}

TEST(Correlation, IsOneForTheSameOrderAndMinusOneForTheReverse) {
  const Numbers up{1, 2, 3, 4}, also{-5, 0, 10, 1e9}, down{4, 3, 2, -7};
  EXPECT_DOUBLE_EQ(kendall_tau(up, also), 1);
  EXPECT_DOUBLE_EQ(spearman_rho(up, also), 1);
  EXPECT_DOUBLE_EQ(kendall_tau(up, down), -1);
  EXPECT_DOUBLE_EQ(spearman_rho(up, down), -1);
}

TEST(Correlation, IsNoNumberWhenASideIsConstant) {
  EXPECT_TRUE(std::isnan(kendall_tau(Numbers{1, 1, 1}, Numbers{1, 2, 3})));
  EXPECT_TRUE(std::isnan(spearman_rho(Numbers{1, 2, 3}, Numbers{2, 2, 2})));
  EXPECT_TRUE(std::isnan(kendall_tau(Numbers{}, Numbers{})));
  EXPECT_TRUE(std::isnan(spearman_rho(Numbers{1}, Numbers{1})));
}

TEST(RankPairs, TakesACountAsSoManyEqualPairs) {
  Random random{2};
  for (int round = 0; round < 500; ++round) {
    Numbers x, y, all_x, all_y;
    std::vector<int> counts;
    for (std::uint64_t i = random.below(20); i > 0; --i) {
      x.push_back(static_cast<double>(random.below(9)));
      y.push_back(static_cast<double>(random.below(9)));
      counts.push_back(static_cast<int>(random.below(4)));
      all_x.insert(all_x.end(), static_cast<std::size_t>(counts.back()), x.back());
      all_y.insert(all_y.end(), static_cast<std::size_t>(counts.back()), y.back());
    }
    SCOPED_TRACE(round);
    expect_same(RankPairs(x, y).tau(counts), naive_tau(all_x, all_y));
    expect_same(RankPairs(x, y).rho(counts), naive_rho(all_x, all_y));
  }
}

TEST(RankPairs, TakesInfiniteValuesAsTheLargest) {
  EXPECT_DOUBLE_EQ(kendall_tau(Numbers{INFINITY, 1, INFINITY, 2}, Numbers{3, 1, 3, 2}), 1);
}

TEST(Correlate, WeighsGroupsBySizeAndLeavesOutConstantOnes) {
  const std::vector<RankPairs> groups{{Numbers{1, 2, 3, 4}, Numbers{1, 2, 3, 4}},
                                      {Numbers{1, 2}, Numbers{2, 1}},
                                      {Numbers{1, 1, 1}, Numbers{1, 2, 3}}};
  const Correlation found = correlate(groups, {});
  EXPECT_DOUBLE_EQ(found.tau.value, (4 * 1 + 2 * -1) / 6.0);
  EXPECT_DOUBLE_EQ(found.rho.value, (4 * 1 + 2 * -1) / 6.0);
  EXPECT_TRUE(std::isnan(found.tau.interval.low)) << "nothing was resampled";
  EXPECT_TRUE(std::isnan(correlate({}, {.resamples = 10}).tau.value));
}

TEST(Correlate, CoversTheTruthAsOftenAsItSays) {
  // Of normal pairs with correlation r, tau is 2/pi asin(r).
  const double r = 0.6, truth = 2 / std::numbers::pi * std::asin(r);
  Random random{5};
  int covered = 0;
  for (std::uint64_t round = 0; round < 200; ++round) {
    Numbers x, y;
    for (int i = 0; i < 60; ++i) {
      x.push_back(random.normal());
      y.push_back(r * x.back() + std::sqrt(1 - r * r) * random.normal());
    }
    const auto [low, high] =
        correlate({{x, y}}, {.resamples = 400, .confidence = 0.9, .seed = round}).tau.interval;
    covered += low <= truth && truth <= high ? 1 : 0;
  }
  EXPECT_NEAR(covered / 200.0, 0.9, 0.06);
}

TEST(Correlate, HasNoIntervalOfLessThanFivePairs) {
  const Numbers four{1, 2, 3, 4}, five{1, 2, 3, 4, 5};
  EXPECT_TRUE(std::isnan(correlate({{four, four}}, {.resamples = 50}).tau.interval.low));
  EXPECT_TRUE(std::isnan(correlate({{four, four}}, {.resamples = 50}).rho.interval.high));
  EXPECT_FALSE(std::isnan(correlate({{five, five}}, {.resamples = 50}).tau.interval.low));
}

TEST(Correlate, GivesTheSameIntervalForTheSameSeed) {
  const std::vector<RankPairs> groups{{Numbers{1, 4, 2, 5, 3}, Numbers{2, 3, 1, 5, 4}}};
  const auto once = correlate(groups, {.resamples = 50, .seed = 1}).tau.interval;
  const auto again = correlate(groups, {.resamples = 50, .seed = 1}).tau.interval;
  EXPECT_EQ(once.low, again.low);
  EXPECT_EQ(once.high, again.high);
  EXPECT_NE(once.low, correlate(groups, {.resamples = 50, .seed = 2}).rho.interval.low);
}

TEST(TopK, IsTheRegretAndMeanOfTheHighestRanked) {
  const Numbers goodness{5, 9, 1, 7}, accuracies{90, 80, 94, 92};
  EXPECT_DOUBLE_EQ(top_k(goodness, accuracies, 1).regret, 14);
  EXPECT_DOUBLE_EQ(top_k(goodness, accuracies, 2).regret, 2);
  EXPECT_DOUBLE_EQ(top_k(goodness, accuracies, 2).mean, 86);
  EXPECT_DOUBLE_EQ(top_k(goodness, accuracies, 4).regret, 0);
}

TEST(TopK, BreaksTiesAgainstTheRanking) {
  const Numbers goodness{1, 1, 1, -INFINITY}, accuracies{90, 80, 94, 99};
  EXPECT_DOUBLE_EQ(top_k(goodness, accuracies, 1).regret, 19);
  EXPECT_DOUBLE_EQ(top_k(goodness, accuracies, 3).regret, 5);
}

TEST(Quantile, GoesLinearlyBetweenOrderStatistics) {
  const Numbers values{1, 2, 4, 8};
  EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile(values, 1), 8);
  EXPECT_DOUBLE_EQ(quantile(Numbers{7}, 0.3), 7);
}

TEST(MeanAndDeviation, IsThatOfASample) {
  const auto known = mean_and_deviation(Numbers{2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(known.mean, 5);
  EXPECT_DOUBLE_EQ(known.deviation, std::sqrt(32.0 / 7));
  EXPECT_DOUBLE_EQ(mean_and_deviation(Numbers{3}).mean, 3);
  EXPECT_DOUBLE_EQ(mean_and_deviation(Numbers{3}).deviation, 0);
  EXPECT_TRUE(std::isnan(mean_and_deviation(Numbers{}).mean));
}

}  // namespace
}  // namespace thimble::statistics_test
