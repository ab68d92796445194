// Integers that learn.

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

/// Outputs of a network on LibTorch's tape, in double: every value is y + (rounded(y) - y) where
/// the last is constant, so all gradients go straight through. ReLU's goes by what comes out of it.
at::Tensor on_tape(const Network& rounded, const Forward& forward,
                   std::vector<Network::Parameters>& leaves) {
  const Graph& graph = rounded.graph();
  const auto leaf = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.detach().to(at::kDouble).clone().requires_grad_() : tensor;
  };
  std::vector<at::Tensor> values{forward.output(0).to(at::kDouble)};
  for (NodeId id = 1; id < graph.size(); ++id) {
    const auto& [weight, bias] = rounded.parameters(id);
    auto& own = leaves[static_cast<std::size_t>(id)];
    own = {leaf(weight), leaf(bias)};
    std::vector<at::Tensor> in;
    for (const NodeId input : graph.inputs(id))
      in.push_back(values[static_cast<std::size_t>(input)]);
    at::Tensor exact = ordinarily(graph.node(id), in, own.weight, own.bias);
    if (graph.node(id).activation == Activation::relu) exact = exact * (forward.output(id) > 0);
    values.push_back(exact + (forward.output(id).to(at::kDouble) - exact).detach());
  }
  return values.back();
}

TEST(IntegerLearner, GoesBackwardsAsTheTapeOfRoundedValues) {
  for (const Graph& graph : {plain_graph(), graph_of_all_scales()}) {
    const at::Tensor images = drawn({8, 3, 8, 8}, 4);
    FloatNetwork real = folded(calibrated(small_network(graph), images));
    for (Range& range : real.ranges) range = {3 * range.lowest, 3 * range.highest};  // none clamps
    IntegerLearner learner{real, 0};
    learner.begin_step(1);
    const Forward forward = learner.forward(images, 0);
    const at::Tensor seed = drawn({8, kClasses}, 6);
    const Network& rounded = learner.weights();
    const auto found = propagate_backward(rounded, forward, rounded.graph().output(), seed,
                                          {.parameters = true, .outputs = {}});
    at::AutoGradMode with_tape{true};
    std::vector<Network::Parameters> leaves(found.parameters.size());
    std::vector<at::Tensor> wanted, ours;
    const at::Tensor outputs = on_tape(rounded, forward, leaves);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      if (!leaves[i].weight.defined()) continue;
      wanted.insert(wanted.end(), {leaves[i].weight, leaves[i].bias});
      ours.insert(ours.end(), {found.parameters[i].weight, found.parameters[i].bias});
    }
    const auto theirs = torch::autograd::grad({outputs}, wanted, {seed.to(at::kDouble)});
    for (std::size_t i = 0; i < theirs.size(); ++i)
      EXPECT_LT((ours[i] - theirs[i]).abs().max().item<double>(),
                1e-5 * theirs[i].abs().max().item<double>())
          << i;
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

/// Both ends, and then not a bit of them.
TEST(IntegerLearner, MovesRangesUntilTheirEpochAlone) {
  constexpr int kFrozenFrom = 2, kEpochs = 5;
  const Pictures data{160, true};
  const TrainingData part{data, kShape, 0, 1};
  IntegerLearner learner{folded_network(), kFrozenFrom};
  const Telling telling;
  Trainer trainer{learner, telling, part, short_recipe(kEpochs), 1, 1};
  at::Tensor last = learner.state().at("ranges").clone();
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    SCOPED_TRACE(epoch);
    trainer.run_epoch();
    const at::Tensor now = learner.state().at("ranges").clone();
    const at::Tensor moved = now.ne(last).sum(0);
    for (const int end : {0, 1}) {
      if (epoch < kFrozenFrom) {
        EXPECT_GT(moved[end].item<std::int64_t>(), 2) << end;
      } else {
        EXPECT_EQ(moved[end].item<std::int64_t>(), 0) << end;
      }
    }
    last = now;
  }
  trainer.finish();
  EXPECT_TRUE(at::equal(learner.state().at("ranges"), last));
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
