// Scales of integers that learn with the weights.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/deploy/quantisation.hpp>

#include <ATen/ATen.h>

#include "support/integer_training.hpp"
#include "support/integers.hpp"

namespace thimble::learned_scales_test {
namespace {

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
    const auto in_double = [](const at::Tensor& tensor) {
      return tensor.defined() ? tensor.to(at::kDouble) : tensor;
    };
    const auto& [weight, bias] = learner_.weights().parameters(id);
    std::vector<at::Tensor> in;
    for (const NodeId input : graph.inputs(id)) in.push_back(in_double(forward_.output(input)));
    const at::Tensor made = ordinarily(node, in, in_double(weight), in_double(bias));
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
    const FloatNetwork after = learned_integers(10, 0, jobs, 0.01, ScaleRule::learned);
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
  const FloatNetwork one = learned_integers(2, 0, 1, 0.01, ScaleRule::learned);
  const FloatNetwork two = learned_integers(2, 0, 2, 0.01, ScaleRule::learned);
  for (std::size_t i = 0; i < one.parameters.size(); ++i) {
    EXPECT_EQ(one.parameters[i].weight, two.parameters[i].weight);
    EXPECT_EQ(one.parameters[i].scales, two.parameters[i].scales);
    EXPECT_EQ(one.ranges[i].highest, two.ranges[i].highest);
  }
}

TEST(LearnedScales, LearnWhatThereIsToLearn) {
  const Samples all = Pictures{160, true}.all(Split::test);
  const FloatNetwork real = learned_integers(20, 0, 2, 0.03, ScaleRule::learned);
  const at::Tensor outputs = IntegerNetwork{lower_folded(real)}.forward(all.images);
  EXPECT_GT(Telling{}.measure(outputs, all.labels).front(), 0.9);
}

}  // namespace
}  // namespace thimble::learned_scales_test
