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

namespace thimble::quantise_test {
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

/// Trains integers for an epoch or more.
FloatNetwork learned(int epochs, std::int64_t frozen_from, int jobs, double rate = 0.01,
                     ScaleRule scales = ScaleRule::seen) {
  const Pictures data{160, true};
  const TrainingData part{data, kShape, 0, 1};
  IntegerLearner learner{folded_network(), frozen_from, scales};
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

/// A sum, a concatenation that gives its scale to its parts, and pools that have their input's.
Graph graph_of_all_scales() {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .bias = true}));
  const NodeId y = g.conv(x, {.out = 8, .kernel = {1, 1}, .bias = true});
  const NodeId z =
      g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .groups = 8, .bias = true});
  x = g.max_pool(g.add({{x, g.concat({{y}}), z}}), {});
  const NodeId a = g.conv(x, {.out = 4, .kernel = {1, 1}, .bias = true});
  const NodeId b = g.conv(x, {.out = 6, .kernel = {1, 1}, .bias = true});
  x = g.avg_pool(g.concat({{a, b}}), {});
  g.linear(g.global_avg_pool(x), kClasses);
  return g;
}

/// The terms of the formula, one number after the other in double: `owner` has the scale.
class NaiveScales {
 public:
  NaiveScales(const FloatNetwork& real, IntegerLearner& learner, const at::Tensor& images)
      : learner_{learner}, images_{images}, forward_{learner.forward(images, 0)} {
    seed_ = drawn({images.size(0), kClasses}, 6);
    found = propagate_backward(learner.weights(), forward_, real.graph.output(), seed_,
                               learner.wanted());
    weights_before = found.parameters;
    more = learner.more_gradients(images, forward_, found);
    exact_ = lower_folded(learner.real());
  }

  /// Of the tensors that have this node's scale.
  double of_tensors(NodeId owner, const std::vector<NodeId>& nodes) const {
    double sum = 0;
    const Graph& graph = learner_.weights().graph();
    for (const NodeId id : nodes) {
      const at::Tensor real = id == 0 ? images_.to(at::kDouble) : output_in_double(id);
      sum += sum_of_terms(found.outputs[static_cast<std::size_t>(id)], real, forward_.output(id),
                          exact_.tensor(id).quantisation, graph.node(id).op);
    }
    const int zero = exact_.tensor(owner).quantisation.zero_point;
    const auto numbers = static_cast<double>(graph.node(owner).shape.elements());
    const int largest = std::max(127 - zero, 128 + zero);
    return largest * sum / std::sqrt(numbers * largest);
  }

  Gradients found;
  std::vector<Network::Parameters> weights_before;
  std::vector<at::Tensor> more;

 private:
  /// Of rounded inputs and rounded weights, before it is rounded itself.
  at::Tensor output_in_double(NodeId id) const {
    const Graph& graph = learner_.weights().graph();
    const Node& node = graph.node(id);
    const auto& [weight, bias] = learner_.weights().parameters(id);
    const auto pair = [](const Extent& extent) {
      return std::array<std::int64_t, 2>{extent.height, extent.width};
    };
    const std::array<std::int64_t, 2> pixels{2, 3};
    std::vector<at::Tensor> in;
    for (const NodeId input : graph.inputs(id))
      in.push_back(forward_.output(input).to(at::kDouble));
    at::Tensor made = in[0];
    switch (node.op) {
      case Op::conv:
        made = at::conv2d(in[0], weight.to(at::kDouble), bias.to(at::kDouble), pair(node.stride),
                          pair(node.padding), at::IntArrayRef{1, 1}, node.groups);
        break;
      case Op::linear:
        made = at::linear(in[0].flatten(1), weight.to(at::kDouble), bias.to(at::kDouble));
        break;
      case Op::avg_pool: made = at::avg_pool2d(in[0], pair(node.kernel), pair(node.stride)); break;
      case Op::global_avg_pool: made = in[0].mean(at::IntArrayRef{pixels}, true); break;
      case Op::add:
        for (std::size_t i = 1; i < in.size(); ++i) made = made + in[i];
        break;
      default: break;  // copies
    }
    return node.activation == Activation::relu ? made.relu() : made;
  }

  /// Rounded as the integers were: ties may go either way.
  static double sum_of_terms(const at::Tensor& gradient, const at::Tensor& real,
                             const at::Tensor& rounded, const Quantisation& q, Op op) {
    if (op == Op::max_pool || op == Op::concat) return 0;  // they copy
    const at::Tensor slopes = gradient.to(at::kDouble).contiguous(at::MemoryFormat::Contiguous);
    const at::Tensor values = real.contiguous(at::MemoryFormat::Contiguous);
    const at::Tensor steps =
        rounded.to(at::kDouble).contiguous(at::MemoryFormat::Contiguous) / q.scale;
    double sum = 0;
    for (std::int64_t i = 0; i < slopes.numel(); ++i) {
      const double quotient = values.data_ptr<double>()[i] / static_cast<double>(q.scale);
      const double least = -128.0 - q.zero_point, most = 127.0 - q.zero_point;
      double term = std::round(steps.data_ptr<double>()[i]) - quotient;
      if (op != Op::avg_pool && quotient <= least) term = least;
      if (op != Op::avg_pool && quotient >= most) term = most;
      sum += slopes.data_ptr<double>()[i] * term;
    }
    return sum;
  }

  IntegerLearner& learner_;
  at::Tensor images_;
  Forward forward_;
  at::Tensor seed_;
  Int8Network exact_;
};

TEST(LearnedScales, HaveTheGradientsOfTheFormula) {
  const at::Tensor images = drawn({4, 3, 8, 8}, 4);
  const FloatNetwork real = folded(calibrated(small_network(graph_of_all_scales()), images));
  IntegerLearner learner{real, 0, ScaleRule::learned};
  for (at::Tensor* const scales : learner.more()) scales->mul_(0.6);  // so that some are clamped
  learner.begin_step(1);
  NaiveScales naive{real, learner, images};
  const auto owners = range_owners(real.graph, real.ranges);
  int shared = 0;
  for (NodeId owner = 0; owner < real.graph.size(); ++owner) {
    std::vector<NodeId> nodes;
    for (NodeId id = 0; id < real.graph.size(); ++id)
      if (owners[static_cast<std::size_t>(id)] == owner) nodes.push_back(id);
    shared += nodes.size() > 1 ? 1 : 0;
    const double expected = nodes.empty() ? 0 : naive.of_tensors(owner, nodes);
    EXPECT_NEAR(naive.more[0][owner].item<double>(), expected, 1e-3 * std::abs(expected) + 1e-6)
        << real.graph.name(owner);
  }
  EXPECT_GE(shared, 3);

  std::int64_t next = 0;
  for (NodeId id = 0; id < real.graph.size(); ++id) {
    const at::Tensor& weight = learner.network().parameters(id).weight;
    if (!weight.defined()) continue;
    const bool is_linear = real.graph.node(id).op == Op::linear;
    const std::int64_t filters = is_linear ? 1 : weight.size(0);
    const at::Tensor rows = weight.reshape({filters, -1}).contiguous();
    const auto& [before, bias] = naive.weights_before[static_cast<std::size_t>(id)];
    const at::Tensor slopes = before.reshape({filters, -1}).contiguous();
    const at::Tensor left =
        naive.found.parameters[static_cast<std::size_t>(id)].weight.reshape({filters, -1});
    for (std::int64_t c = 0; c < filters; ++c, ++next) {
      const double scale = (*learner.more()[1])[next].item<double>() / 127;
      double expected = 0;
      for (std::int64_t i = 0; i < rows.size(1); ++i) {
        const double quotient = rows[c][i].item<double>() / scale;
        const double slope = slopes[c][i].item<double>();
        const bool is_inside = std::abs(quotient) < 127;
        expected +=
            slope * (is_inside ? std::round(quotient) - quotient : std::copysign(127.0, quotient));
        EXPECT_EQ(left[c][i].item<double>(), is_inside ? slope : 0);
      }
      expected *= 127 / std::sqrt(static_cast<double>(rows.size(1)) * 127);
      EXPECT_NEAR(naive.more[1][next].item<double>(), expected, 1e-3 * std::abs(expected) + 1e-6)
          << real.graph.name(id) << ' ' << c;
    }
  }
  EXPECT_EQ(next, naive.more[1].numel());
}

/// Wholly clamped, a value hangs on the scale as a line: finite differences hold.
TEST(LearnedScales, HaveTheSlopeOfTheLossWhereAllIsClamped) {
  Graph graph;
  graph.conv(graph.input({1, 1, 1}), {.out = 1, .bias = true});
  const FloatNetwork real{graph, {{}, {{1.0F}, {0.0F}, {}, {}}}, {{-4, 4}, {-1, 1}}};
  const at::Tensor images = at::tensor({-3.0F, 3.0F, 2.0F}).view({3, 1, 1, 1});
  const at::Tensor seed = at::tensor({0.5F, 2.0F, -1.0F}).view({3, 1, 1, 1});
  const auto loss = [&](double factor) {
    IntegerLearner learner{real, 0, ScaleRule::learned};
    (*learner.more()[0])[1] *= factor;
    learner.begin_step(1);
    return (learner.forward(images, 0).output(1) * seed).sum().item<double>();
  };
  IntegerLearner learner{real, 0, ScaleRule::learned};
  learner.begin_step(1);
  const Forward forward = learner.forward(images, 0);
  Gradients found = propagate_backward(learner.weights(), forward, 1, seed, learner.wanted());
  const double slope = learner.more_gradients(images, forward, found)[0][1].item<double>();
  const double scale = (*learner.more()[0])[1].item<double>() / 128;
  const double pace = 128 / std::sqrt(1.0 * 128);
  EXPECT_NEAR(slope, pace * (loss(1.01) - loss(0.99)) / (0.02 * scale), 1e-2 * std::abs(slope));
}

/// By a hundredth at most, whatever the rate.
TEST(LearnedScales, ChangeLittleInAStep) {
  IntegerLearner learner{folded_network(), 0, ScaleRule::learned};
  const at::Tensor before = learner.more()[0]->clone();
  learner.begin_step(1);
  learner.more()[0]->slice(0, 0, 2).mul_(-3);
  learner.more()[0]->slice(0, 2, 4).mul_(1.005);
  learner.end_step(0);
  const at::Tensor factor = *learner.more()[0] / before;
  EXPECT_TRUE(
      at::allclose(factor.slice(0, 0, 5), at::tensor({0.99, 0.99, 1.005, 1.005, 1.0}, at::kFloat)));
}

TEST(LearnedScales, StayTheReferenceAndKeepZeroPoints) {
  const FloatNetwork before = folded_network();
  for (const int jobs : {1, 2}) {
    const FloatNetwork after = learned(10, 0, jobs, 0.01, ScaleRule::learned);
    const Int8Network lowered = lower_folded(after);
    test::expect_reference(IntegerNetwork{lowered}, drawn({4, 3, 8, 8}, 9));
    const auto given = quantisations_of(before.graph, before.ranges);
    int moved = 0;
    for (std::size_t i = 0; i < given.size(); ++i) {
      EXPECT_EQ(lowered.tensors[i].quantisation.zero_point, given[i].zero_point) << i;
      moved += lowered.tensors[i].quantisation.scale != given[i].scale ? 1 : 0;
    }
    EXPECT_GE(moved, 6);
  }
}

TEST(LearnedScales, LearnTheSameWithAnyNumberOfThreads) {
  const FloatNetwork one = learned(2, 0, 1, 0.01, ScaleRule::learned);
  const FloatNetwork two = learned(2, 0, 2, 0.01, ScaleRule::learned);
  for (std::size_t i = 0; i < one.parameters.size(); ++i) {
    EXPECT_EQ(one.parameters[i].weight, two.parameters[i].weight);
    EXPECT_EQ(one.parameters[i].scales, two.parameters[i].scales);
    EXPECT_EQ(one.ranges[i].highest, two.ranges[i].highest);
  }
}

TEST(LearnedScales, LearnWhatThereIsToLearn) {
  const Samples all = Pictures{160, true}.all(Split::test);
  const FloatNetwork real = learned(20, 0, 2, 0.03, ScaleRule::learned);
  const at::Tensor outputs = IntegerNetwork{lower_folded(real)}.forward(all.images);
  EXPECT_GT(kTelling.measure(outputs, all.labels).front(), 0.9);
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
}  // namespace thimble::quantise_test
