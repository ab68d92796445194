#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <support/small_networks.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble::propagation_test {
namespace {

using test::Case;
using test::cases;
using test::draw_scales_and_shifts;
using test::images;
using test::joined;
using test::network;
using test::relative_error;
using test::two_linear_layers;

/// Channels last, with numbers of channels that no vector divides; sums that several nodes read,
/// one that only a ReLU does, and more terms than wait at once.
Graph wide_and_odd() {
  Graph g;
  const auto normalised = [&](NodeId x, int out, int size) {
    return g.batch_norm(
        g.conv(x, {.out = out, .kernel = {size, size}, .padding = {size / 2, size / 2}}));
  };
  const NodeId x = normalised(g.input({3, 6, 5}), 70, 3);
  const NodeId y = g.relu(x, Activation::relu6);
  const NodeId pooled = g.avg_pool(x, {{3, 5}, {1, 1}, {1, 2}});
  const std::vector<NodeId> terms{x, pooled, normalised(y, 70, 1)};
  const NodeId sum = g.add(terms);
  std::vector<NodeId> readers{sum, x};
  for (int i = 0; i < 6; ++i) readers.push_back(normalised(g.relu(sum), 70, 1));
  const NodeId end = g.relu(g.add(readers));
  const std::vector<NodeId> parts{end, normalised(end, 33, 3), y};
  const NodeId last = g.batch_norm(g.concat(parts));
  g.linear(g.global_avg_pool(g.max_pool(g.relu(last), {})), 4);
  return g;
}

TEST(Propagation, PutsOffWithoutChangingValues) {
  const Graph graph = wide_and_odd();
  Network net = network(graph);
  draw_scales_and_shifts(net);
  const at::Tensor x = images(graph, 5);
  const Forward forward = propagate_forward(net, x);
  EXPECT_TRUE(std::ranges::any_of(forward.blends, [](const auto& b) { return !b.is_plain(); }));
  for (NodeId id = 0; id < graph.size(); ++id) {
    Graph cut = graph;
    cut.set_output(id);
    Network part{cut, at::kDouble};
    for (NodeId i = 0; i < graph.size(); ++i) part.parameters(i) = net.parameters(i);
    const at::Tensor truth = part.forward(x);
    const at::Tensor found = forward.output(id);
    EXPECT_LE(relative_error(found.flatten(), truth.flatten()), 1e-10) << graph.name(id);
    EXPECT_TRUE(at::allclose(forward.output(id, 3), found[3], 1e-12, 1e-12));
  }
}

/// Gradients of <seed, logits> by LibTorch's tape: parameters in the order of nodes, then images.
std::vector<at::Tensor> taped_gradients(const Network& net, const at::Tensor& x,
                                        const at::Tensor& seed) {
  Network copy = net.clone();
  std::vector<at::Tensor> leaves;
  for (NodeId id = 0; id < copy.graph().size(); ++id) {
    auto& [weight, bias] = copy.parameters(id);
    for (at::Tensor* const tensor : {&weight, &bias})
      if (tensor->defined()) leaves.push_back(*tensor = tensor->detach().clone().requires_grad_());
  }
  leaves.push_back(x.clone().requires_grad_());
  const at::Tensor product = (copy.forward(leaves.back()) * seed).sum();
  return torch::autograd::grad({product}, leaves, {}, false, false, /*allow_unused=*/true);
}

TEST(Propagation, GivesTheGradientsOfTheTape) {
  auto all = cases();
  all.push_back({"joined", joined()});
  all.push_back({"wide and odd", wide_and_odd(), 5});
  Graph tall;
  tall.conv(tall.input({3, 5, 2}),
            {.out = 20, .kernel = {15, 3}, .stride = {2, 1}, .padding = {7, 1}});
  all.push_back({"tall window", tall});
  for (const auto precision : {at::kDouble, at::kFloat}) {
    for (const Case& c : all) {
      SCOPED_TRACE(c.name);
      Network net = network(c.graph, precision);
      draw_scales_and_shifts(net);
      const at::Tensor x = images(c.graph, c.batch, precision);
      const Forward forward = propagate_forward(net, x);
      const auto seed = at::randn_like(logits_of(net, forward));
      Wanted wanted;
      wanted.outputs = {0};
      const auto found = propagate_backward(net, forward, c.graph.output(), seed, wanted);
      const auto expected = taped_gradients(net, x, seed);
      std::size_t place = 0;
      for (NodeId id = 0; id < c.graph.size(); ++id) {
        const auto& [weight, bias] = found.parameters[static_cast<std::size_t>(id)];
        for (const at::Tensor* const tensor : {&weight, &bias}) {
          const auto& own = net.parameters(id);
          if (!(tensor == &weight ? own.weight : own.bias).defined()) continue;
          const at::Tensor& truth = expected[place++];
          ASSERT_EQ(tensor->defined(), truth.defined()) << c.graph.name(id);
          if (truth.defined()) {
            EXPECT_TRUE(at::allclose(*tensor, truth, precision == at::kDouble ? 1e-8 : 1e-3,
                                     precision == at::kDouble ? 1e-10 : 1e-3))
                << c.graph.name(id);
          }
        }
      }
      const bool depends_on_input = expected.back().defined();
      ASSERT_EQ(found.outputs[0].defined(), depends_on_input);
      if (depends_on_input && precision == at::kDouble) {
        EXPECT_LE(relative_error(found.outputs[0], expected.back()), 1e-8);
      }
    }
  }
}

/// Of a graph of one convolution: its output and all gradients, against LibTorch's own.
void expect_convolution_as_taped(const Shape& in, const Graph::Conv& convolution, int batch) {
  Graph graph;
  graph.conv(graph.input(in), convolution);
  for (const auto precision : {at::kDouble, at::kFloat}) {
    const Network net = network(graph, precision);
    const at::Tensor x = images(graph, batch, precision);
    const Forward forward = propagate_forward(net, x);
    const at::Tensor seed = at::randn_like(logits_of(net, forward));
    const auto found = propagate_backward(net, forward, 1, seed, {.outputs = {0}});
    const auto truth = taped_gradients(net, x, seed);
    const double tolerance = precision == at::kDouble ? 1e-12 : 1e-5;
    const auto is_close = [&](const at::Tensor& a, const at::Tensor& b) {
      return relative_error(a.to(at::kDouble).flatten(), b.to(at::kDouble).flatten()) <= tolerance;
    };
    Network taped = net.clone();
    taped.parameters(1).weight.requires_grad_();
    EXPECT_TRUE(is_close(logits_of(net, forward), taped.forward(x).flatten(1).detach()));
    EXPECT_TRUE(is_close(found.parameters[1].weight, truth[0]));
    EXPECT_TRUE(is_close(found.parameters[1].bias, truth[1]));
    EXPECT_TRUE(is_close(found.outputs[0], truth[2]));
  }
}

TEST(Propagation, DifferentiatesDepthwiseConvolutions) {
  for (const int channels : {5, 8, 64, 70})
    for (const Extent kernel : {Extent{3, 3}, {5, 5}, {7, 7}, {3, 5}, {1, 11}})
      for (const Extent stride : {Extent{1, 1}, {2, 2}, {3, 1}, {1, 2}})
        for (const int batch : {1, 3}) {
          SCOPED_TRACE(fmt::format("{} channels, {}x{}, stride {}x{}", channels, kernel.height,
                                   kernel.width, stride.height, stride.width));
          expect_convolution_as_taped({channels, 11, 6},
                                      {.out = channels,
                                       .kernel = kernel,
                                       .stride = stride,
                                       .padding = {kernel.height / 2, kernel.width / 2},
                                       .groups = channels,
                                       .bias = true},
                                      batch);
        }
}

/// Sums of squares about zero would cancel here.
TEST(Propagation, StandsChannelsThatVaryLittle) {
  Graph graph;
  const NodeId y = graph.relu(graph.batch_norm(graph.input({64, 6, 6})));
  graph.linear(graph.global_avg_pool(graph.conv(y, {.out = 64})), 4);
  const at::Tensor x = 5 + 0.01 * images(graph, 8, at::kFloat);
  const at::Tensor seed = at::randn({8, 4});
  const auto gradient_of = [&](at::ScalarType precision) {
    const Network net = network(graph, precision);
    EXPECT_TRUE(net.is_channels_last());
    const Forward forward = propagate_forward(net, x.to(precision));
    return propagate_backward(net, forward, graph.output(), seed.to(precision), {.outputs = {0}});
  };
  const auto truth = gradient_of(at::kDouble);
  const auto found = gradient_of(at::kFloat);
  EXPECT_LE(relative_error(found.outputs[0], truth.outputs[0]), 2e-3) << "gates near zero may flip";
  EXPECT_LE(relative_error(found.parameters[1].weight, truth.parameters[1].weight), 1e-4);
}

/// By the weights of these.
void expect_gradients_as_in_double(const Graph& graph, const std::vector<NodeId>& nodes) {
  const auto gradients = [&](at::ScalarType precision) {
    const Network net = network(graph, precision);
    const Forward forward = propagate_forward(net, images(graph, 16, precision));
    const auto seed = at::ones_like(logits_of(net, forward));
    return propagate_backward(net, forward, graph.output(), seed, {}).parameters;
  };
  const auto exact = gradients(at::kDouble), rough = gradients(at::kFloat);
  for (const NodeId id : nodes)
    EXPECT_LE(relative_error(rough[static_cast<std::size_t>(id)].weight.to(at::kDouble),
                             exact[static_cast<std::size_t>(id)].weight),
              1e-4);
}

/// As in InceptionTime on few steps; oneDNN's own padding corrupts the heap there, or leaves
/// gradients unwritten.
TEST(Propagation, StandsWindowsThatAreLargerThanTheirInput) {
  for (const int window : {31, 33, 39, 55, 63})
    for (const int stride : {1, 2})
      for (const int inputs : {1, 24}) {
        SCOPED_TRACE(::testing::Message() << window << " by " << stride << " of " << inputs);
        Graph graph;
        const NodeId x = graph.conv(graph.input({3, 32, 4}), {.out = inputs});
        graph.conv(
            x,
            {.out = 24, .kernel = {window, 1}, .stride = {stride, 4}, .padding = {window / 2, 0}});
        graph.linear(graph.relu(graph.output()), 4);
        expect_gradients_as_in_double(graph, {x, x + 1});
      }
}

/// As on many sensors; oneDNN writes beyond its buffers from 66 columns on.
TEST(Propagation, StandsStridesOfSinglePixels) {
  for (const Extent stride : {Extent{1, 2}, Extent{2, 1}, Extent{2, 2}, Extent{1, 3}})
    for (const int sensors : {9, 27, 66})
      for (const int outputs : {8, 16, 64}) {
        SCOPED_TRACE(::testing::Message() << stride.height << "x" << stride.width << " of "
                                          << sensors << ", " << outputs);
        Graph graph;
        const NodeId x = graph.conv(graph.input({1, 24, sensors}), {.out = 8});
        const NodeId y = graph.conv(x, {.out = outputs, .stride = stride});
        const NodeId z = graph.conv(graph.relu(y), {.out = 64});
        graph.linear(graph.relu(graph.global_avg_pool(z)), 4);
        expect_gradients_as_in_double(graph, {x, y, z});
      }
}

/// oneDNN reads other pixels there, in LibTorch 2.6.
TEST(Propagation, StandsColumnsThatAreLeftOverFromOneChannel) {
  for (const int outputs : {6, 24}) {
    Graph graph;
    const NodeId x = graph.conv(graph.input({3, 6, 5}), {.out = 1});
    const NodeId y = graph.conv(x, {.out = outputs, .kernel = {1, 4}, .stride = {1, 2}});
    graph.linear(graph.relu(y), 4);
    expect_gradients_as_in_double(graph, {x, y});
  }
}

TEST(Propagation, StartsAndStopsAnywhere) {
  const Graph graph = two_linear_layers();  // input, linear, relu, linear
  const Network net = network(graph);
  const at::Tensor x = images(graph, 3);
  const Forward forward = propagate_forward(net, x);
  const at::Tensor seed = at::ones_like(forward.output(2));
  const Wanted wanted{.parameters = false, .outputs = {1}};
  const auto found = propagate_backward(net, forward, 2, seed, wanted);
  EXPECT_TRUE(at::equal(found.outputs[1], (forward.output(1) > 0).to(at::kDouble)));
  EXPECT_FALSE(found.outputs[0].defined());
  EXPECT_FALSE(found.parameters[1].weight.defined());
}

TEST(Propagation, DifferentiatesTheCrossEntropy) {
  const auto logits = at::tensor({1.0, 2.0, -1.0, 0.5, 0.0, 3.0}, at::kDouble).view({2, 3});
  const auto labels = at::tensor({2, 0}, at::kLong);
  const auto leaf = logits.clone().requires_grad_();
  at::cross_entropy_loss(leaf, labels).backward();
  EXPECT_LE(relative_error(cross_entropy_gradient(logits, labels), leaf.grad()), 1e-14);
}

}  // namespace
}  // namespace thimble::propagation_test
