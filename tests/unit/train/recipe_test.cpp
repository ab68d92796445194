// Learning rates by hand.

#include <cmath>

#include <gtest/gtest.h>

#include <thimble/train/recipe.hpp>

namespace thimble::recipe_test {
namespace {

Recipe recipe(Schedule schedule, double warm_up = 0) {
  Recipe made;
  made.learning_rate = 2;
  made.schedule = schedule;
  made.warm_up = warm_up;
  return made;
}

TEST(LearningRate, GrowsInALineWhileItWarmsUp) {
  for (const auto& [name, schedule] : names_of(Schedule{})) {
    const Recipe warm = recipe(schedule, 0.3);
    EXPECT_DOUBLE_EQ(learning_rate(warm, 0, 10), 0.5) << name;
    EXPECT_DOUBLE_EQ(learning_rate(warm, 1, 10), 1.0) << name;
    EXPECT_DOUBLE_EQ(learning_rate(warm, 2, 10), 1.5) << name;
    EXPECT_DOUBLE_EQ(learning_rate(warm, 3, 10), 2.0) << name;
  }
}

TEST(LearningRate, GoesDownAsItsScheduleSays) {
  EXPECT_DOUBLE_EQ(learning_rate(recipe(Schedule::constant), 9, 10), 2);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(Schedule::cosine), 5, 10), 1);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(Schedule::cosine), 9, 10), 1 + std::cos(0.9 * M_PI));
  EXPECT_DOUBLE_EQ(learning_rate(recipe(Schedule::one_cycle), 9, 10), 2 * (1 - 0.9));
  EXPECT_DOUBLE_EQ(learning_rate(recipe(Schedule::step), 4, 10), 2);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(Schedule::step), 5, 10), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(recipe(Schedule::step), 8, 10), 0.02);
}

TEST(LearningRate, IsPositiveInEveryStep) {
  for (const auto& [name, schedule] : names_of(Schedule{}))
    for (const double warm_up : {0.0, 0.15, 1.0})
      for (const std::int64_t steps : {1, 2, 7, 100})
        for (std::int64_t step = 0; step < steps; ++step) {
          const double rate = learning_rate(recipe(schedule, warm_up), step, steps);
          EXPECT_GT(rate, 0) << name << " " << warm_up << " " << step << " of " << steps;
          EXPECT_LE(rate, 2) << name << " " << warm_up << " " << step << " of " << steps;
        }
}

}  // namespace
}  // namespace thimble::recipe_test
