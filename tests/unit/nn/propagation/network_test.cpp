#include <cmath>
#include <type_traits>

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <support/small_networks.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble::network_test {
namespace {

using test::Case;
using test::cases;
using test::images;
using test::joined;
using test::linear_only;
using test::network;
using test::relative_error;
using test::two_linear_layers;

TEST(Network, KnowsTheOperatorsOfJoinedNetworks) {
  const Graph graph = joined();
  const Network net = network(graph);
  const at::Tensor x = images(graph, 3) * 20;
  const Forward forward = propagate_forward(net, x);
  const auto outputs = [&](NodeId id) { return forward.output(id); };
  EXPECT_LE(outputs(3).max().item<double>(), 6.0);
  EXPECT_GE(outputs(3).max().item<double>(), 1.0);
  EXPECT_EQ(outputs(4)[0][2][0][0].item<double>(),
            outputs(1)[0][2].narrow(0, 0, 2).narrow(1, 0, 2).max().item<double>());
  EXPECT_TRUE(at::equal(outputs(5).narrow(1, 4, 4), outputs(4)));
  EXPECT_LE(relative_error(outputs(graph.output()).sum(1), at::ones({3}, at::kDouble)), 1e-12);
}

TEST(Network, GivesLogitsAndEveryActivation) {
  for (const Case& c : cases()) {
    const Network net = network(c.graph);
    const at::Tensor x = images(c.graph, c.batch);
    const at::Tensor logits = net.forward(x);
    const Forward all = propagate_forward(net, x);
    for (NodeId id = 0; id < c.graph.size(); ++id) {
      const Shape& shape = c.graph.node(id).shape;
      EXPECT_EQ(all.output(id).numel(), c.batch * shape.elements()) << c.name;
    }
    EXPECT_EQ(logits.numel(), c.batch * c.graph.node(c.graph.output()).shape.elements());
    EXPECT_LE(relative_error(logits_of(net, all).flatten(), logits.flatten()), 1e-12) << c.name;
    EXPECT_TRUE(logits.isfinite().all().item<bool>()) << c.name;
  }
}

TEST(Network, SharesWeightsWithWhatIsDerivedFromItsGraph) {
  const Graph supernet = test::te_nas_supernet();
  const Graph single = resolved(supernet, std::vector<int>{2, 1, 0, 3, 2, 1});
  const Network a = network(supernet, at::kFloat);
  const Network b = network(single, at::kFloat);
  int shared = 0;
  for (NodeId i = 0; i < single.size(); ++i) {
    for (NodeId j = 0; j < supernet.size(); ++j) {
      if (single.name(i) != supernet.name(j) || !b.parameters(i).weight.defined()) continue;
      EXPECT_TRUE(at::equal(b.parameters(i).weight, a.parameters(j).weight));
      ++shared;
    }
  }
  EXPECT_GT(shared, 10);
  Network other{single};
  other.initialise(Init::torch_default, 2, "test");
  EXPECT_FALSE(at::equal(other.parameters(1).weight, b.parameters(1).weight));
  const Network precise = network(single, at::kDouble);
  EXPECT_TRUE(at::equal(precise.parameters(1).weight, b.parameters(1).weight.to(at::kDouble)));
}

static_assert(!std::is_copy_constructible_v<Network> && !std::is_copy_assignable_v<Network>,
              "a copy would have the same weights: clone() says what is meant");

TEST(Network, HasWeightsOfItsOwnWhenCloned) {
  const Network net = network(two_linear_layers());
  const at::Tensor before = net.parameters(1).weight.clone();
  Network other = net.clone();
  EXPECT_TRUE(at::equal(other.parameters(1).weight, before));
  other.initialise(Init::standard_normal, 9, "another");
  EXPECT_FALSE(at::equal(other.parameters(1).weight, before));
  EXPECT_TRUE(at::equal(net.parameters(1).weight, before));
}

TEST(Network, RunsWithConstantChannels) {
  Graph graph;
  const NodeId x = graph.input({2, 4, 4});
  const std::vector<NodeId> parts{graph.zero({3, 4, 4}), x};
  graph.conv(graph.concat(parts), {.out = 4});
  const Network whole = network(graph), part = network(live(graph));
  const at::Tensor batch = images(graph, 3);
  EXPECT_TRUE(at::allclose(whole.forward(batch), part.forward(batch)));
}

TEST(Network, DrawsWhatTheInitialisersSay) {
  Graph graph;
  NodeId x = graph.input({32, 8, 8});
  x = graph.conv(x, {.out = 128, .kernel = {3, 3}, .groups = 2, .bias = true});
  graph.linear(x, 10);
  Network net{graph};
  const auto deviation = [&](NodeId id) { return net.parameters(id).weight.std().item<double>(); };
  net.initialise(Init::kaiming_normal_fan_in, 1, "a");
  EXPECT_NEAR(deviation(1), std::sqrt(2.0 / (16 * 9)), 2e-3);
  net.initialise(Init::kaiming_normal_fan_out, 1, "a");
  EXPECT_NEAR(deviation(1), std::sqrt(2.0 / (128 * 9)), 1e-3);
  EXPECT_NEAR(deviation(2), std::sqrt(2.0 / 10), 1e-2);
  EXPECT_EQ(net.parameters(1).bias.abs().max().item<double>(), 0.0);
  net.initialise(Init::torch_default, 1, "a");
  EXPECT_NEAR(net.parameters(1).weight.abs().max().item<double>(), 1.0 / 12.0, 1e-4);
  EXPECT_GT(net.parameters(1).bias.abs().max().item<double>(), 0.0);
  EXPECT_LE(net.parameters(1).bias.abs().max().item<double>(), 1.0 / 12.0);
}

TEST(Network, SaysWhatIsWrongWithItsInput) {
  const Network net = network(linear_only());
  EXPECT_THROW(net.forward(at::zeros({2, 3, 2, 3}, at::kDouble)), Error);
  EXPECT_THROW(net.forward(at::zeros({2, 3, 2, 2}, at::kFloat)), Error);
}

TEST(Network, CanBeTrainedThrough) {
  const Network net = network(test::nas_bench_201(test::every_edge({"nor_conv_3x3"}), 3, 8));
  for (const auto& parameter : net.all_parameters()) parameter.requires_grad_();
  net.forward(images(net.graph(), 3)).sum().backward();
  for (const auto& parameter : net.all_parameters()) EXPECT_TRUE(parameter.grad().defined());
}

}  // namespace
}  // namespace thimble::network_test
