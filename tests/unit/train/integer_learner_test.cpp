// Integers that learn.

#include <array>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <ATen/ATen.h>

#include "support/integer_training.hpp"
#include "support/integers.hpp"
#include "support/random_networks.hpp"

namespace thimble::integer_learner_test {
namespace {

/// A convolution, a ReLU that is fused, another convolution and a classifier.
Graph plain_graph() {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .bias = true}));
  x = g.conv(x, {.out = 8, .kernel = {3, 3}, .stride = {2, 2}, .groups = 2, .bias = true});
  g.linear(g.global_avg_pool(x), kClasses);
  return g;
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

/// Straight through, as LibTorch's tape has it of y + (rounded(y) - y) where the last is constant,
/// in double.
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
    return exact + (forward.output(id).to(at::kDouble) - exact).detach();
  };
  const auto weight = [&](NodeId id) {
    weights.push_back(
        rounded.parameters(id).weight.detach().to(at::kDouble).clone().requires_grad_());
    return weights.back();
  };
  at::AutoGradMode with_tape{true};
  // ReLU's derivative goes by what comes out of it.
  at::Tensor x = at::conv2d(forward.output(0).to(at::kDouble), weight(1), {}, kOne, kOne);
  x = value(1, x * (forward.output(1) > 0));
  x = value(2, at::conv2d(x, weight(2), {}, kTwo, at::IntArrayRef{0, 0}, kOne, 2));
  x = value(3, x.mean({2, 3}, true));
  x = value(4, at::linear(x.flatten(1), weight(4)));
  const auto theirs = torch::autograd::grad({x}, weights, {seed.to(at::kDouble)});
  const NodeId nodes[]{1, 2, 4};
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const at::Tensor& ours = found.parameters[static_cast<std::size_t>(nodes[i])].weight;
    EXPECT_LT((ours - theirs[i]).abs().max().item<double>(),
              1e-5 * theirs[i].abs().max().item<double>())
        << nodes[i];
  }
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

TEST(IntegerLearner, IsTheReferenceBehindFiftySteps) {
  const IntegerNetwork integers{lower_folded(learned_integers(10, 3, 2))};
  test::expect_reference(integers, drawn({4, 3, 8, 8}, 9));
}

TEST(IntegerLearner, LearnsTheSameWithAnyNumberOfThreads) {
  const FloatNetwork one = learned_integers(2, 2, 1);
  for (const int jobs : {2, 4}) {
    const FloatNetwork many = learned_integers(2, 2, jobs);
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
  EXPECT_EQ(moved(learned_integers(3, 0, 1)), 0);
  EXPECT_GT(moved(learned_integers(3, 1, 1)), 3);
}

TEST(IntegerLearner, LearnsWhatThereIsToLearn) {
  const Pictures data{160, true};
  const auto share = [&](const FloatNetwork& real) {
    const Samples all = data.all(Split::test);
    return Telling{}
        .measure(IntegerNetwork{lower_folded(real)}.forward(all.images), all.labels)
        .front();
  };
  EXPECT_LT(share(folded_network()), 0.6);
  EXPECT_GT(share(learned_integers(20, 7, 2, 0.05)), 0.95);
}

}  // namespace
}  // namespace thimble::integer_learner_test
