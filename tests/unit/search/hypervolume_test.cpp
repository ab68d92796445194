#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <pagmo/utils/hypervolume.hpp>

#include <thimble/core/random.hpp>
#include <thimble/search/hypervolume.hpp>

namespace thimble::hypervolume_test {
namespace {

/// By inclusion and exclusion over all sets of boxes.
double naive_hypervolume(const std::vector<Point>& points, const Point& reference) {
  double volume = 0;
  for (std::uint64_t set = 1; set < std::uint64_t{1} << points.size(); ++set) {
    double shared = (__builtin_popcountll(set) % 2 == 1) ? 1 : -1;
    for (std::size_t k = 0; k < reference.size(); ++k) {
      double worst = -std::numeric_limits<double>::infinity();
      for (std::size_t i = 0; i < points.size(); ++i)
        if (((set >> i) & 1U) != 0) worst = std::max(worst, points[i][k]);
      shared *= std::max(0.0, reference[k] - worst);
    }
    volume += shared;
  }
  return volume;
}

/// On a coarse grid coordinates tie; some points lie at the reference or beyond.
std::vector<Point> random_points(Random& random, std::size_t count, std::size_t objectives,
                                 bool is_coarse) {
  std::vector<Point> points(count, Point(objectives));
  for (Point& point : points)
    for (double& value : point)
      value = is_coarse ? static_cast<double>(random.below(6)) / 4 : 1.15 * random.uniform();
  return points;
}

TEST(Hypervolume, EqualsInclusionAndExclusionAndPagmoOnRandomSets) {
  Random random{1};
  for (int round = 0; round < 10'000; ++round) {
    const std::size_t objectives = 2 + random.below(5);
    const auto points = random_points(random, random.below(9), objectives, random.below(2) == 0);
    const Point reference(objectives, Frame::kReference);
    const double volume = hypervolume(points, reference);
    ASSERT_NEAR(volume, naive_hypervolume(points, reference), 1e-10) << round;
    std::vector<Point> inside = points;  // pagmo throws at others
    std::erase_if(inside,
                  [](const Point& point) { return std::ranges::max(point) >= Frame::kReference; });
    const double theirs = inside.empty() ? 0 : pagmo::hypervolume{inside}.compute(reference);
    ASSERT_NEAR(volume, theirs, 1e-10) << round;
  }
}

TEST(Hypervolume, IsALengthForOneObjective) {
  EXPECT_DOUBLE_EQ(hypervolume({{0.5}, {0.2}, {3}}, {1}), 0.8);
  EXPECT_EQ(hypervolume({{2}}, {1}), 0);
}

TEST(Hypervolume, DoesNotGrowByWhatIsRepeatedDominatedUnknownOrBeyondTheReference) {
  const std::vector<Point> front{{0.2, 0.6}, {0.5, 0.1}};
  const double volume = hypervolume(front, {1, 1});
  EXPECT_DOUBLE_EQ(volume, 0.8 * 0.4 + 0.5 * 0.5);
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  for (const Point& other :
       {front[0], Point{0.5, 0.6}, Point{0, 1}, Point{0, 7}, Point{unknown, 0}})
    EXPECT_EQ(hypervolume({front[0], other, front[1]}, {1, 1}), volume) << other[0];
  EXPECT_EQ(hypervolume({}, {1, 1}), 0);
}

TEST(AFrame, ScalesItsOwnPointsToTheUnitBox) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const Frame frame{{{-1, 1e6, 3}, {3, 2e6, 3}, {unknown, 9e9, 3}}};
  EXPECT_EQ(frame.scaled({{-1, 2e6, 3}, {5, 1e6, 4}}),
            (std::vector<Point>{{0, 1, 0}, {1.5, 0, 1}}));
}

TEST(AFrame, HasVolumesThatDoNotDependOnUnits) {
  Random random{2};
  const auto points = random_points(random, 8, 3, false);
  auto others = points;
  for (Point& point : others) point = {1e9 * point[0] - 5, 1e-7 * point[1], point[2] + 40};
  const double volume = Frame{points}.hypervolume(points);
  EXPECT_NEAR(Frame{others}.hypervolume(others), volume, 1e-6);
  EXPECT_GT(volume, 0);
}

TEST(AFrame, CountsTheWorstPointsOfItsSet) {
  const std::vector<Point> ends{{0, 1}, {1, 0}};
  EXPECT_NEAR(Frame{ends}.hypervolume(ends), 2 * 1.1 * 0.1 - 0.1 * 0.1, 1e-12);
  EXPECT_EQ(Frame{{}}.hypervolume({}), 0);
}

TEST(PointsOf, TurnEveryObjectiveToLessIsBetter) {
  Evaluation evaluation;
  evaluation.objectives = {3, 4, kNotANumber};
  const auto points = points_of({evaluation}, {{"a", Direction::minimize, 1},
                                               {"b", Direction::maximize, 1},
                                               {"c", Direction::maximize, 1}});
  EXPECT_EQ(points[0][0], 3);
  EXPECT_EQ(points[0][1], -4);
  EXPECT_TRUE(std::isnan(points[0][2]));
}

TEST(NonDominated, KeepsEachPointOfTheFrontOnce) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(non_dominated({{2, 2}, {1, 3}, {unknown, 0}, {1, 3}, {1, 4}, {2, 1}}),
            (std::vector<std::size_t>{1, 5}));
}

}  // namespace
}  // namespace thimble::hypervolume_test
