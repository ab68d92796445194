#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>

namespace thimble::random_test {
namespace {

TEST(Random, GivesTheSameNumbersForEver) {
  // Published results depend on these: a change of the generator is a change of every result.
  Random plain{0};
  EXPECT_EQ(plain(), 0xe220a8397b1dcdafU) << "SplitMix64's first number from 0";
  EXPECT_EQ(plain(), 0x6e789e6aa1b965f4U) << "and its second";
  Random stream = Random::stream(7, {"weights", "conv1"});
  EXPECT_EQ(stream(), 0x7b3302192ad173aeU);
  EXPECT_EQ(stream.uniform(), 0.30649885020414847);
  EXPECT_EQ(stream.below(1000), 319U);
  EXPECT_NEAR(stream.normal(), -1.4709948264396537, 1e-12) << "libm may differ in the last digit";
  EXPECT_EQ(stream.sample(10, 4), (std::vector<std::int64_t>{6, 0, 4, 3}));
}

TEST(Random, GivesAStreamOfItsOwnForEveryNameAndSeed) {
  std::set<std::uint64_t> firsts;
  std::size_t streams = 0;
  const auto take = [&](Random random) {
    for (int i = 0; i < 100; ++i) firsts.insert(random());
    ++streams;
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    take(Random::stream(seed, {}));
    take(Random::stream(seed, {""}));
    take(Random::stream(seed, {"", ""}));
    take(Random::stream(seed, {"ab"}));
    take(Random::stream(seed, {"a", "b"}));
    take(Random::stream(seed, {"b", "a"}));
    take(Random::stream(seed, {"ab", ""}));
  }
  EXPECT_EQ(firsts.size(), 100 * streams) << "no number of one stream is in another";
}

TEST(Random, GivesUncorrelatedStreams) {
  constexpr int kCount = 20000;
  Random a = Random::stream(1, {"a"}), b = Random::stream(1, {"b"}), c = Random::stream(2, {"a"});
  double ab = 0, ac = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = a.uniform() - 0.5;
    ab += x * (b.uniform() - 0.5);
    ac += x * (c.uniform() - 0.5);
  }
  // The products have a deviation of 1/12 each; five deviations of their sum.
  EXPECT_LT(std::abs(ab), 5 * std::sqrt(kCount) / 12);
  EXPECT_LT(std::abs(ac), 5 * std::sqrt(kCount) / 12);
}

TEST(Random, DrawsUniformNumbersWithTheRightMoments) {
  constexpr int kCount = 200000;
  Random random{3};
  double sum = 0, squares = 0, least = 1, most = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.uniform();
    sum += x;
    squares += x * x;
    least = std::min(least, x);
    most = std::max(most, x);
  }
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kCount));
  EXPECT_GE(least, 0);
  EXPECT_LT(most, 1);
  EXPECT_LT(least, 1e-4);
  EXPECT_GT(most, 1 - 1e-4);
}

TEST(Random, DrawsNormalNumbersWithTheRightMoments) {
  constexpr int kCount = 200000;
  Random random{4};
  std::array<double, 5> moments{};
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    for (std::size_t k = 1; k < moments.size(); ++k)
      moments[k] += std::pow(x, static_cast<double>(k)) / kCount;
  }
  EXPECT_NEAR(moments[1], 0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(moments[2], 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(moments[3], 0, 5 * std::sqrt(15.0 / kCount));
  EXPECT_NEAR(moments[4], 3, 5 * std::sqrt(96.0 / kCount));
}

TEST(Random, FillsWithTheDeviationAndTheRangeAskedFor) {
  std::vector<float> values(50000);
  Random{5}.fill_normal(values, 0.25);
  double squares = 0;
  for (const float value : values) squares += double{value} * value;
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(values.size())), 0.25, 0.005);
  Random{5}.fill_uniform(values, -2, 3);
  EXPECT_NEAR(*std::ranges::min_element(values), -2, 0.01);
  EXPECT_NEAR(*std::ranges::max_element(values), 3, 0.01);
}

TEST(Random, DrawsEveryNumberBelowABoundEquallyOften) {
  for (const std::uint64_t bound : {1U, 2U, 3U, 7U, 10U}) {
    constexpr int kCount = 70000;
    std::vector<int> seen(bound);
    Random random{bound};
    for (int i = 0; i < kCount; ++i) {
      const auto drawn = random.below(bound);
      ASSERT_LT(drawn, bound);
      ++seen[drawn];
    }
    const double expected = kCount / static_cast<double>(bound);
    for (const int count : seen) EXPECT_NEAR(count, expected, 6 * std::sqrt(expected));
  }
}

TEST(Random, DoesNotFavourSmallNumbersBelowAHugeBound) {
  // With 3/4 of 2^64 as the bound, plain remainders would make the lowest third twice as likely.
  constexpr std::uint64_t kBound = std::uint64_t{3} << 62;
  Random random{9};
  int low = 0;
  for (int i = 0; i < 30000; ++i) low += random.below(kBound) < (std::uint64_t{1} << 62) ? 1 : 0;
  EXPECT_NEAR(low, 10000, 500);
}

TEST(Random, SamplesWithoutRepetition) {
  Random random{11};
  for (const std::int64_t bound : {1, 2, 5, 50, 1000}) {
    for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, bound / 2, bound}) {
      const auto drawn = random.sample(bound, count);
      const std::set<std::int64_t> different(drawn.begin(), drawn.end());
      EXPECT_EQ(drawn.size(), static_cast<std::size_t>(count));
      EXPECT_EQ(different.size(), drawn.size());
      for (const auto value : drawn) EXPECT_TRUE(value >= 0 && value < bound);
    }
  }
  EXPECT_EQ(random.sample(std::int64_t{1} << 60, 3).size(), 3U) << "takes no memory by the bound";
}

TEST(Random, SamplesEveryOrderEquallyOften) {
  std::array<int, 6> seen{};  // the orders of two out of three
  Random random{12};
  constexpr int kCount = 60000;
  for (int i = 0; i < kCount; ++i) {
    const auto drawn = random.sample(3, 2);
    ++seen[static_cast<std::size_t>(2 * drawn[0] + (drawn[1] > 3 - drawn[0] - drawn[1] ? 1 : 0))];
  }
  for (const int count : seen) EXPECT_NEAR(count, kCount / 6, 500);
}

}  // namespace
}  // namespace thimble::random_test
