#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/search/selection.hpp>

namespace thimble::selection_test {
namespace {

using Places = std::vector<std::size_t>;

/// Points near a sphere's surface, bulging to the origin or away from it: most are on the front.
std::vector<Point> random_front(Random& random, std::size_t count, std::size_t objectives) {
  const bool bulges_out = random.below(2) == 0;
  std::vector<Point> points(count, Point(objectives));
  for (Point& point : points) {
    double square = 0;
    for (double& value : point) value = std::abs(random.normal()), square += value * value;
    const double radius = std::sqrt(square) * (1 + 0.1 * random.uniform());
    for (double& value : point) value = bulges_out ? 1 - value / radius : value / radius;
  }
  return points;
}

/// Of the chosen points, in the frame of the front.
double volume(const std::vector<Point>& points, const Places& chosen) {
  std::vector<Point> front, subset;
  for (const std::size_t place : non_dominated(points)) front.push_back(points[place]);
  for (const std::size_t place : chosen) subset.push_back(points[place]);
  return Frame{front}.hypervolume(subset);
}

double best_volume(const std::vector<Point>& points, std::size_t count) {
  double best = 0;
  Places chosen;
  const auto visit = [&](const auto& self, std::size_t from) -> void {
    if (chosen.size() == count) {
      best = std::max(best, volume(points, chosen));
      return;
    }
    for (std::size_t i = from; i < points.size(); ++i) {
      chosen.push_back(i);
      self(self, i + 1);
      chosen.pop_back();
    }
  };
  visit(visit, 0);
  return best;
}

class Selection : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Selection, ExactIsEnumerationAndTheOthersComeNear) {
  Random random = Random::stream(1, {"fronts", std::to_string(GetParam())});
  for (int round = 0; round < 12; ++round) {
    const std::size_t size = round == 0 ? 25 : 6 + random.below(11);
    const std::size_t count = round == 0 ? 5 : 2 + random.below(4);
    const auto points = random_front(random, size, GetParam());
    if (non_dominated(points).size() <= count) continue;
    const double best = best_volume(points, count);
    const auto found = [&](SelectionMethod method) {
      const Places chosen = select_subset(points, count, method, 1);
      EXPECT_EQ(chosen.size(), count);
      return volume(points, chosen);
    };
    SCOPED_TRACE(round);
    EXPECT_NEAR(found(SelectionMethod::exact), best, 1e-12);
    EXPECT_NEAR(found(SelectionMethod::automatic), best, 1e-12);
    const double greedy = found(SelectionMethod::greedy);
    EXPECT_GE(greedy, (1 - std::exp(-1)) * best);
    const double evolved = found(SelectionMethod::evolutionary);
    EXPECT_GE(evolved, 0.995 * best);
    EXPECT_GE(evolved, greedy - 1e-12);
  }
}

INSTANTIATE_TEST_SUITE_P(Objectives, Selection, ::testing::Values(2, 3, 4, 5));

TEST(SelectSubset, EvolvesBeyondTheGreedyChoiceAndNeverBelowIt) {
  Random random{3};
  int better = 0;
  for (int round = 0; round < 4; ++round) {
    const auto points = random_front(random, 100, 2 + static_cast<std::size_t>(round));
    const double greedy = volume(points, select_subset(points, 5, SelectionMethod::greedy, 1));
    const double evolved =
        volume(points, select_subset(points, 5, SelectionMethod::evolutionary, 1));
    EXPECT_GE(evolved, greedy - 1e-12);
    better += evolved > greedy + 1e-9;
  }
  EXPECT_GT(better, 0) << "it evolved nothing";
}

TEST(SelectSubset, LeavesOutWhatAddsNothing) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Point> points{{2, 2}, {1, 3}, {unknown, 0}, {1, 3}, {1, 4}, {2, 1}};
  for (const auto& [name, method] : names_of(SelectionMethod{}))
    EXPECT_EQ(select_subset(points, 3, method, 1), (Places{1, 5})) << name;
  EXPECT_TRUE(select_subset({}, 3, SelectionMethod::automatic, 1).empty());
}

TEST(SelectSubset, ChoosesTheSameForTheSameSeed) {
  Random random{5};
  const auto points = random_front(random, 60, 4);
  EXPECT_EQ(select_subset(points, 5, SelectionMethod::evolutionary, 7),
            select_subset(points, 5, SelectionMethod::evolutionary, 7));
}

TEST(SelectSubset, RefusesAnExactChoiceOutOfTooManySubsets) {
  Random random{6};
  EXPECT_THROW(select_subset(random_front(random, 500, 5), 5, SelectionMethod::exact, 1), Error);
}

TEST(Rescaled, CountsPlacesAndTakesLogarithmsWhereThereAreAny) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Point> points{{1, -1000, -1}, {10, -10, 2}, {unknown, 5, 5}, {10, -0.1, 0}};
  const auto ranks = rescaled(points, SelectionScale::ranks);
  EXPECT_EQ(ranks[0], (Point{0, 0, 0}));
  EXPECT_EQ(ranks[1], (Point{1, 1, 2}));
  EXPECT_EQ(ranks[3], (Point{1, 2, 1}));
  EXPECT_EQ(ranks[2][1], 5) << "stays as it is";
  const auto logarithms = rescaled(points, SelectionScale::logarithms);
  EXPECT_NEAR(logarithms[1][0], std::log(10), 1e-12);
  EXPECT_NEAR(logarithms[0][1], -std::log(1000), 1e-12);
  EXPECT_NEAR(logarithms[3][1], std::log(10), 1e-12) << "of -0.1, the worst";
  EXPECT_EQ(logarithms[0][2], -1) << "of both signs";
  EXPECT_EQ(rescaled(points, SelectionScale::values)[1], points[1]);
}

TEST(Rescaled, ChangesNothingOfWhatIsDominated) {
  Random random{8};
  for (int round = 0; round < 20; ++round) {
    std::vector<Point> points(40, Point(3));
    for (Point& point : points)
      point = {0.1 + random.uniform(), -1 - random.uniform(), random.normal()};
    for (const auto& [name, scale] : names_of(SelectionScale{}))
      EXPECT_EQ(non_dominated(rescaled(points, scale)), non_dominated(points)) << name;
  }
}

TEST(Rescaled, MakesAChoiceByRanksOneOfOrderAlone) {
  Random random{9};
  const auto points = random_front(random, 40, 3);
  auto stretched = points;  // over decades, as SNIP is
  for (Point& point : stretched) point[1] = std::exp(8 * point[1]);
  const auto chosen = [](const std::vector<Point>& of, SelectionScale scale) {
    return select_subset(rescaled(of, scale), 4, SelectionMethod::exact, 1);
  };
  EXPECT_EQ(chosen(stretched, SelectionScale::ranks), chosen(points, SelectionScale::ranks));
  EXPECT_NE(chosen(stretched, SelectionScale::values), chosen(points, SelectionScale::values));
}

TEST(Pooled, IsOneObjectiveAndTheMeanRankInAllOthers) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Point> points{{5, -1, -100}, {7, -3, -90}, {9, -2, -80}, {1, unknown, 0}};
  const auto made = pooled(points, 0);
  EXPECT_EQ(made[0], (Point{5, (2 + 0) / 2.0}));
  EXPECT_EQ(made[1], (Point{7, (0 + 1) / 2.0}));
  EXPECT_EQ(made[2], (Point{9, (1 + 2) / 2.0}));
  EXPECT_TRUE(std::isnan(made[3][1]));
}

TEST(Select, SpreadsOverTheAxisItIsToldTo) {
  // Costs of three decades, ten networks each, and what is better the more it costs: in logarithms
  // and ranks a straight line, of which points in equal distances dominate the most.
  std::vector<Evaluation> front(31);
  const std::vector<Objective> objectives{{"macs", Direction::minimize, 1},
                                          {"params", Direction::maximize, 1}};
  for (int i = 0; i <= 30; ++i)
    front[static_cast<std::size_t>(i)].objectives = {1000 * std::pow(10, i / 10.0),
                                                     std::exp(0.5 * i)};
  SelectSettings settings;
  settings.along = "macs";
  settings.scale = SelectionScale::logarithms;
  std::vector<std::string> remarks;
  const auto selection = select(front, objectives, settings, 1, remarks);
  ASSERT_TRUE(selection && selection->chosen.size() == 5);
  for (std::size_t i = 1; i < 5; ++i) {
    const std::size_t apart = selection->chosen[i] - selection->chosen[i - 1];
    EXPECT_GE(apart, 5U);
    EXPECT_LE(apart, 8U);
  }
}

TEST(SelectOfBands, TakesTheBestOfEachAndMakesUpForEmptyOnes) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  // Bands [0, 10), [10, 20), [20, 30]; the second has nothing but what is unknown.
  const std::vector<Point> points{{0, 5}, {9, 3}, {4, 4}, {12, unknown}, {30, 9}, {21, 8}, {25, 7}};
  EXPECT_EQ(select_of_bands(points, 1), (Places{1}));
  EXPECT_EQ(select_of_bands(points, 3), (Places{1, 5, 6}));
  EXPECT_EQ(select_of_bands(points, 9), (Places{0, 1, 2, 4, 5, 6}));
  EXPECT_EQ(select_of_bands({{3, 2}, {3, 1}, {3, 0}}, 2), (Places{1, 2}));
  EXPECT_TRUE(select_of_bands({{1, unknown}}, 2).empty());
}

TEST(Select, TakesAlsoWhatNoHypervolumeWouldOfBands) {
  // Dear networks are no better than the cheap ones: in the plane of cost and rank they are
  // dominated.
  std::vector<Evaluation> front(20);
  const std::vector<Objective> objectives{{"macs", Direction::minimize, 1},
                                          {"meco", Direction::maximize, 1},
                                          {"zico", Direction::maximize, 1}};
  for (int i = 0; i < 20; ++i)
    front[static_cast<std::size_t>(i)].objectives = {1.0 + i, 1.0 + i, 100.0 - 2 * i};
  SelectSettings settings;
  settings.along = "macs";
  settings.k = 4;
  std::vector<std::string> remarks;
  EXPECT_EQ(select(front, objectives, settings, 1, remarks)->chosen.size(), 1U);
  settings.method = SelectionMethod::bands;
  const auto chosen = select(front, objectives, settings, 1, remarks)->chosen;
  ASSERT_EQ(chosen.size(), 4U);
  for (std::size_t band = 0; band < 4; ++band) EXPECT_EQ(chosen[band] / 5, band);
}

TEST(LandmarksOf, AreTheEndsOfTheFrontAndItsBend) {
  const Landmarks found =
      landmarks_of({{900, 1}, {0, 10}, {100, 9}, {200, 3}, {500, 2.5}, {900, 0}, {200, 3.5}});
  EXPECT_EQ(found.extremes, (Places{1, 5}));
  EXPECT_EQ(found.knee, 3U);
}

TEST(LandmarksOf, AreAllTheOnlyPoint) {
  const Landmarks found = landmarks_of({{std::numeric_limits<double>::quiet_NaN(), 1}, {4, 5}});
  EXPECT_EQ(found.extremes, (Places{1, 1}));
  EXPECT_EQ(found.knee, 1U);
}

}  // namespace
}  // namespace thimble::selection_test
