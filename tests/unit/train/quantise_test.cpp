// Integers made of what has learned.

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/deploy/quantisation.hpp>
#include <thimble/train/quantise.hpp>

#include <ATen/ATen.h>

#include "support/integer_training.hpp"
#include "support/integers.hpp"
#include "support/training.hpp"

namespace thimble::quantise_test {
namespace {

TEST(Folding, ChangesNoFunction) {
  const Network trained = settled_network();
  const at::Tensor images = drawn({16, 3, 8, 8}, 5);
  const FloatNetwork once = folded(calibrated(trained, images));
  EXPECT_TRUE(at::allclose(network_of(once).forward(images), trained.forward(images), 1e-4, 1e-5));
}

/// Whatever a range is: no values, one value, without 0, all on one side of it.
TEST(Ranges, OfAnyKindAreExact) {
  Graph graph;
  NodeId x = graph.input({2, 4, 4});
  x = graph.relu(graph.conv(x, {.out = 4, .kernel = {3, 3}, .bias = true}));
  graph.linear(x, 3);
  const std::vector<Range> kinds{{0, 0}, {2, 2},  {1, 3},           {-3, -1},
                                 {0, 5}, {-5, 0}, {-1e-30F, 1e-30F}};
  for (std::size_t i = 0; i < kinds.size(); ++i)
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      SCOPED_TRACE(i * 10 + k);
      FloatNetwork real = drawn_network(graph, 1);
      std::fill_n(real.parameters[1].weight.begin(), 9, 0.0F);  // a filter of zeros
      real.ranges = {kinds[i], kinds[k], kinds[k], kinds[i]};
      test::expect_reference(IntegerNetwork{lower(real)}, drawn({2, 2, 4, 4}, 3));
    }
}

TEST(Ranges, LeaveOutliersOut) {
  at::Tensor values = at::arange(10001).to(at::kFloat) / 10000;
  values[5000] = 100;
  EXPECT_EQ(range_of(values, {}).highest, 100);
  EXPECT_NEAR(range_of(values, {RangeRule::percentile, 99.0}).highest, 0.995, 1e-3);
  EXPECT_NEAR(range_of(values, {RangeRule::percentile, 99.0}).lowest, 0.005, 1e-3);
}

/// By trying all of its ranges in a loop of its own.
TEST(Ranges, HaveTheLeastMeanSquare) {
  at::Tensor values = at::arange(200'000).to(at::kFloat) / 200'000;
  values[5] = 1.5;
  const auto error = [&](const Range& range) {
    const auto [scale, zero] = quantisation_of(range);
    double sum = 0;
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      const float value = values.data_ptr<float>()[i];
      const float q = std::clamp(std::nearbyint(value / scale), -128.0F - static_cast<float>(zero),
                                 127.0F - static_cast<float>(zero));
      sum += std::pow(static_cast<double>(q * scale - value), 2);
    }
    return sum;
  };
  const Range whole = range_of(values, {});
  const Range best = range_of(values, {RangeRule::mean_square, 0});
  EXPECT_LT(error(best), 0.99 * error(whole));
  for (const float share : {0.25F, 0.5F, 0.75F, 1.0F})
    EXPECT_LE(error(best), 1.0001 * error({share * whole.lowest, share * whole.highest})) << share;
}

Graph chain() {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.conv(x, {.out = 8, .kernel = {1, 1}, .bias = true}));
  x = g.relu(g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .groups = 8, .bias = true}));
  x = g.conv(x, {.out = 6, .kernel = {1, 1}, .bias = true});
  g.linear(x, kClasses);
  return g;
}

TEST(Equalisation, ChangesNoFunctionAndEvensRangesOut) {
  const at::Tensor images = drawn({8, 3, 8, 8}, 1);
  Network net = small_network(chain());
  net.parameters(1).weight[2].mul_(100);
  const FloatNetwork before = folded(calibrated(net, images));
  const FloatNetwork after = equalised(before);
  EXPECT_TRUE(at::allclose(network_of(after).forward(images), network_of(before).forward(images),
                           1e-3, 1e-3));
  const Network even = network_of(after);
  const at::Tensor given = even.parameters(1).weight.flatten(1).abs().amax(1);
  const at::Tensor read = even.parameters(2).weight.flatten(1).abs().amax(1);
  EXPECT_TRUE(at::allclose(given, read, 1e-2));
}

/// A sum with another reader must stay what it is.
TEST(Equalisation, LeavesAloneWhatOthersRead) {
  Graph g;
  const NodeId x = g.input(kShape);
  const NodeId y = g.conv(x, {.out = 3, .kernel = {3, 3}, .padding = {1, 1}, .bias = true});
  const NodeId z = g.conv(y, {.out = 3, .kernel = {3, 3}, .padding = {1, 1}, .bias = true});
  g.linear(g.add({{y, z}}), 2);
  const FloatNetwork before = folded(calibrated(small_network(g), drawn({4, 3, 8, 8}, 1)));
  const FloatNetwork after = equalised(before);
  for (std::size_t i = 0; i < before.parameters.size(); ++i)
    EXPECT_EQ(before.parameters[i].weight, after.parameters[i].weight);
}

/// One channel whose values are a thousand times the others' leaves these no integers.
TEST(Equalisation, IsWhatPostTrainingQuantisationAsksFor) {
  const at::Tensor images = drawn({32, 3, 8, 8}, 1);
  const Network net = small_network(chain());
  net.parameters(1).weight[2].mul_(1000);
  net.parameters(3).weight[2].div_(1000);
  const at::Tensor truth = net.forward(images);
  const auto board = [&](bool equalise) {
    return quantised_after_training(net, images, {.equalise = equalise, .bias_correction = false});
  };
  EXPECT_TRUE(at::allclose(network_of(board(true)).forward(images), truth, 1e-3, 1e-4));
  const auto error = [&](bool equalise) {
    return (IntegerNetwork{lower_folded(board(equalise))}.forward(images) - truth)
        .norm()
        .item<double>();
  };
  EXPECT_LT(error(true), 0.2 * error(false));
  // Ranges are those of the values behind it.
  const FloatNetwork even = board(true);
  const auto seen = calibrated(network_of(even), images).ranges;
  for (std::size_t i = 0; i < seen.size(); ++i)
    EXPECT_EQ(even.ranges[i].highest, seen[i].highest) << i;
}

TEST(BiasCorrection, TakesTheMeanOfTheErrorAway) {
  const at::Tensor images = drawn({64, 3, 8, 8}, 1);
  FloatNetwork real = folded(calibrated(small_network(chain()), images));
  // One large weight a filter leaves the others a coarse grid, on which they round to one side.
  for (const std::size_t node : {1U, 3U}) {
    std::vector<float>& weights = real.parameters[node].weight;
    const std::size_t length = weights.size() / real.parameters[node].bias.size();
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = i % length == 0 ? 1.0F : 0.0035F;
  }
  real = folded(calibrated(network_of(real), images));
  const auto error = [&](const FloatNetwork& network) {
    const at::Tensor difference =
        IntegerNetwork{lower_folded(network)}.forward(images) - network_of(real).forward(images);
    return difference.mean(0).abs().mean().item<double>();
  };
  EXPECT_LT(error(bias_corrected(real, images)), 0.5 * error(real));
}

TEST(LayerFits, TellWhereIntegersDoNotFit) {
  const at::Tensor images = drawn({64, 3, 8, 8}, 1);
  FloatNetwork real = folded_network();
  const auto good = layer_fits(real, images);
  ASSERT_EQ(good.size(), static_cast<std::size_t>(real.graph.size()) - 1);
  EXPECT_GT(good[0].signal_to_noise_db, 25);
  EXPECT_GT(good[0].range_use, 0.6);
  real.ranges[1] = {real.ranges[1].lowest / 8, real.ranges[1].highest / 8};
  const auto bad = layer_fits(real, images);
  EXPECT_GT(bad[0].saturated, 0.1);
  EXPECT_LT(bad[0].signal_to_noise_db, good[0].signal_to_noise_db - 10);
}

}  // namespace
}  // namespace thimble::quantise_test
