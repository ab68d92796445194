// The task of classification, with losses worked out by hand.

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include <support/world.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/task.hpp>

namespace thimble::classification_test {
namespace {

/// Of outputs that give each of three classes a third, whatever the label: ln 3 a sample, times the
/// weight of its class.
Loss loss_of(const std::string& parameters, const std::vector<std::int64_t>& labels,
             const std::vector<std::int64_t>& counts) {
  PluginLoader loader = testing::plugins();
  const auto task = testing::make<Task>(loader, "classification", parameters);
  const auto samples = static_cast<std::int64_t>(labels.size());
  return task->loss(at::zeros({samples, 3}, at::kDouble), at::tensor(labels), counts);
}

TEST(Classification, CountsAllSamplesAlikeByDefault) {
  const Loss loss = loss_of("{label_smoothing: 0}", {0, 1, 1}, {6, 2, 0});
  EXPECT_NEAR(loss.sum, 3 * std::log(3), 1e-12);
}

/// Six samples of one class, two of another, none of the third: 8 / (2 x 6) and 8 / (2 x 2), so
/// that the six count as much as the two and all together as eight.
TEST(Classification, BalancesClassesByHowManySamplesTheyHave) {
  const std::vector<std::int64_t> counts{6, 2, 0};
  const auto loss = [&](const std::vector<std::int64_t>& labels) {
    return loss_of("{label_smoothing: 0, class_weights: balanced}", labels, counts);
  };
  EXPECT_NEAR(loss({0}).sum, 2.0 / 3 * std::log(3), 1e-12);
  EXPECT_NEAR(loss({1}).sum, 2 * std::log(3), 1e-12);
  EXPECT_NEAR(loss({0, 0, 0, 0, 0, 0, 1, 1}).sum, 8 * std::log(3), 1e-12);
  // By the outputs: weight x (probability - 1 where the label is).
  const at::Tensor gradient = loss({0, 1}).gradient;
  const auto by_hand = at::tensor({-4.0 / 9, 2.0 / 9, 2.0 / 9, 2.0 / 3, -4.0 / 3, 2.0 / 3});
  EXPECT_TRUE(at::allclose(gradient.flatten(), by_hand.to(at::kDouble), 1e-6, 1e-6));
}

/// Smoothed: 0.9 + 0.1 / 3 on the label, 0.1 / 3 on the others.
TEST(Classification, WeighsTheWholeOfASmoothedTarget) {
  const Loss loss = loss_of("{label_smoothing: 0.1, class_weights: balanced}", {1}, {6, 2, 0});
  EXPECT_NEAR(loss.sum, 2 * std::log(3), 1e-12);
  const at::Tensor gradient = loss.gradient.flatten();
  EXPECT_NEAR(gradient[1].item<double>(), 2 * (1.0 / 3 - 0.9 - 0.1 / 3), 1e-12);
  EXPECT_NEAR(gradient[2].item<double>(), 2 * (1.0 / 3 - 0.1 / 3), 1e-12);
}

}  // namespace
}  // namespace thimble::classification_test
