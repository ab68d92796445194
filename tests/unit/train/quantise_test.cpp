// Integers made of what has learned, and integers that learn.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <thimble/deploy/quantisation.hpp>
#include <thimble/train/quantise.hpp>
#include <thimble/train/trainer.hpp>

#include <ATen/ATen.h>

#include "support/integers.hpp"
#include "support/random_networks.hpp"
#include "support/training.hpp"

namespace thimble {
namespace {

const Telling kTelling;

/// With batch norms that have statistics, and drawn weights.
Network settled_network(const Graph& graph = small_graph()) {
  Network made = small_network(graph);
  settle_statistics(made, Pictures{64, true}.all(Split::train), 32);
  return made;
}

FloatNetwork folded_network(const Graph& graph = small_graph()) {
  return folded(calibrated(settled_network(graph), Pictures{64, true}.all(Split::train).images));
}

/// A convolution, a ReLU that is fused, another convolution and a classifier.
Graph plain_graph() {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .bias = true}));
  x = g.conv(x, {.out = 8, .kernel = {3, 3}, .stride = {2, 2}, .groups = 2, .bias = true});
  g.linear(g.global_avg_pool(x), kClasses);
  return g;
}

TEST(Folding, ChangesNoFunction) {
  const Network trained = settled_network();
  const at::Tensor images = drawn({16, 3, 8, 8}, 5);
  const FloatNetwork once = folded(calibrated(trained, images));
  EXPECT_TRUE(at::allclose(network_of(once).forward(images), trained.forward(images), 1e-4, 1e-5));
}

/// Cells have batch norms behind sums, whose ReLUs stay layers of their own.
TEST(IntegerLearner, TakesCells) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    const Network net = settled_network(test::random_cell(seed, 4, 8));
    const at::Tensor images = drawn({4, 3, 8, 8}, seed);
    IntegerLearner learner{folded(calibrated(net, images)), 1};
    learner.begin_step(1);
    const Forward forward = learner.forward(images, 0);
    EXPECT_TRUE(at::equal(forward.output(learner.weights().graph().output()),
                          IntegerNetwork{lower(calibrated(net, images))}.forward(images)));
  }
}

/// Straight through, as LibTorch's tape has it of y + (rounded(y) - y) where the last is constant.
TEST(IntegerLearner, GoesBackwardsAsTheTapeOfRoundedValues) {
  const at::Tensor images = drawn({8, 3, 8, 8}, 4);
  Network net = small_network(plain_graph());
  FloatNetwork real = folded(calibrated(net, images));
  for (Range& range : real.ranges) range = {3 * range.lowest, 3 * range.highest};  // none clamps
  IntegerLearner learner{real, 0};
  learner.begin_step(1);
  const Forward forward = learner.forward(images, 0);
  const at::Tensor seed = drawn({8, kClasses}, 6);
  const Network& rounded = learner.weights();
  const auto found =
      propagate_backward(rounded, forward, 4, seed, {.parameters = true, .outputs = {}});

  const std::array<std::int64_t, 2> kOne{1, 1}, kTwo{2, 2};
  std::vector<at::Tensor> weights;
  const auto value = [&](NodeId id, const at::Tensor& exact) {
    return exact + (forward.output(id) - exact).detach();
  };
  const auto weight = [&](NodeId id) {
    weights.push_back(rounded.parameters(id).weight.detach().clone().requires_grad_());
    return weights.back();
  };
  at::AutoGradMode with_tape{true};
  // ReLU's derivative goes by what comes out of it.
  at::Tensor x = at::conv2d(forward.output(0), weight(1), {}, kOne, kOne);
  x = value(1, x * (forward.output(1) > 0));
  x = value(2, at::conv2d(x, weight(2), {}, kTwo, at::IntArrayRef{0, 0}, kOne, 2));
  x = value(3, x.mean({2, 3}, true));
  x = value(4, at::linear(x.flatten(1), weight(4)));
  const auto theirs = torch::autograd::grad({x}, weights, {seed});
  const NodeId nodes[]{1, 2, 4};
  for (std::size_t i = 0; i < theirs.size(); ++i)
    EXPECT_TRUE(at::allclose(found.parameters[static_cast<std::size_t>(nodes[i])].weight, theirs[i],
                             1e-4, 1e-5))
        << nodes[i];
}

TEST(IntegerLearner, PassesNoGradientWhereAValueIsClamped) {
  Graph graph;
  graph.conv(graph.input({1, 1, 1}), {.out = 1, .bias = true});
  IntegerLearner learner{{graph, {{}, {{1.0F}, {0.0F}, {}, {}}}, {{-4, 4}, {-1, 1}}}, 0};
  learner.begin_step(1);
  const at::Tensor images = at::tensor({-3.0F, -0.5F, 0.5F, 3.0F}).view({4, 1, 1, 1});
  const Forward forward = learner.forward(images, 0);
  const auto found = propagate_backward(learner.weights(), forward, 1, at::ones({4, 1, 1, 1}),
                                        {.parameters = false, .outputs = {0}});
  EXPECT_TRUE(at::equal(found.outputs[0].ne(0).flatten().to(at::kInt), at::tensor({0, 1, 1, 0})));
}

/// Trains integers for an epoch or more.
FloatNetwork learned(int epochs, std::int64_t frozen_from, int jobs, double rate = 0.01) {
  const Pictures data{160, true};
  const TrainingData part{data, kShape, 0, 1};
  IntegerLearner learner{folded_network(), frozen_from};
  Recipe recipe = short_recipe(epochs);
  recipe.learning_rate = rate;
  Trainer trainer{learner, kTelling, part, recipe, 1, jobs};
  while (!trainer.is_done()) trainer.run_epoch();
  trainer.finish();
  return learner.real();
}

TEST(IntegerLearner, IsTheReferenceBehindFiftySteps) {
  const IntegerNetwork integers{lower_folded(learned(10, 3, 2))};
  test::expect_reference(integers, drawn({4, 3, 8, 8}, 9));
}

TEST(IntegerLearner, LearnsTheSameWithAnyNumberOfThreads) {
  const FloatNetwork one = learned(2, 2, 1);
  for (const int jobs : {2, 4}) {
    const FloatNetwork many = learned(2, 2, jobs);
    for (std::size_t i = 0; i < one.parameters.size(); ++i) {
      EXPECT_EQ(one.parameters[i].weight, many.parameters[i].weight);
      EXPECT_EQ(one.ranges[i].lowest, many.ranges[i].lowest);
      EXPECT_EQ(one.ranges[i].highest, many.ranges[i].highest);
    }
  }
}

TEST(IntegerLearner, LeavesRangesAsTheyAreFromTheirEpochOn) {
  const FloatNetwork before = folded_network();
  const auto moved = [&](const FloatNetwork& after) {
    int count = 0;
    for (std::size_t i = 1; i < before.ranges.size(); ++i)
      count += after.ranges[i].highest != before.ranges[i].highest ? 1 : 0;
    return count;
  };
  EXPECT_EQ(moved(learned(3, 0, 1)), 0);
  EXPECT_GT(moved(learned(3, 1, 1)), 3);
}

TEST(IntegerLearner, LearnsWhatThereIsToLearn) {
  const Pictures data{160, true};
  const auto share = [&](const FloatNetwork& real) {
    const Samples all = data.all(Split::test);
    return kTelling.measure(IntegerNetwork{lower_folded(real)}.forward(all.images), all.labels)
        .front();
  };
  EXPECT_LT(share(folded_network()), 0.6);
  EXPECT_GT(share(learned(20, 7, 2, 0.05)), 0.95);
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
}  // namespace thimble
