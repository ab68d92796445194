// Gradients of the kernels against differences of outputs, which need no derivative at all: neither
// ours nor LibTorch's.

#include <gtest/gtest.h>

#include <support/small_networks.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble::finite_differences_test {
namespace {

/// One of each operator that networks are made of, on a way to the output: convolutions whole,
/// grouped, depthwise, strided, with a bias and of 1x1, both pools, sums, and ReLUs on and off
/// batch norms.
Graph every_operator(int width, bool is_grouped) {
  Graph g;
  NodeId x = g.input({3, 9, 8});
  x = g.conv(x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}, .bias = true});
  x = g.relu(g.batch_norm(x), Activation::relu6);
  const NodeId depthwise = g.batch_norm(g.conv(
      x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}, .groups = is_grouped ? width : 1}));
  const NodeId grouped = g.relu(g.batch_norm(g.conv(
      x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}, .groups = is_grouped ? 2 : 1})));
  x = g.relu(g.add({{x, depthwise, grouped}}));
  const Graph::Pool pool{.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}};
  const NodeId strided = g.conv(x, {.out = width,
                                    .kernel = {5, 5},
                                    .stride = {2, 2},
                                    .padding = {2, 2},
                                    .groups = is_grouped ? width : 1});
  const NodeId pooled = g.max_pool(g.avg_pool(x, pool), {.padding = {1, 0}});
  const NodeId cut = g.conv(x, {.out = 2, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
  x = g.relu(g.batch_norm(g.concat({{strided, pooled, cut}})));
  x = g.conv(x, {.out = 3});
  g.softmax(g.linear(g.global_avg_pool(g.max_pool(x, {.stride = {1, 1}})), 4));
  return g;
}

/// Convolutions along columns, which are laid down for oneDNN, and windows beyond what there is.
Graph time_series(bool is_grouped) {
  Graph g;
  NodeId x = g.input({1, 24, 5});
  x = g.conv(x, {.out = 6, .kernel = {5, 5}, .stride = {2, 1}, .padding = {2, 0}});
  x = g.relu(g.batch_norm(x));
  const NodeId deep =
      g.conv(x, {.out = 6, .kernel = {7, 1}, .padding = {3, 0}, .groups = is_grouped ? 6 : 1});
  const NodeId wide = g.conv(x, {.out = 6, .kernel = {31, 1}, .padding = {15, 0}, .bias = true});
  x = g.relu(g.batch_norm(g.add({{x, deep, wide}})));
  g.linear(g.avg_pool(x, {.kernel = {3, 1}, .stride = {2, 1}}), 3);
  return g;
}

double product(const Network& network, const at::Tensor& images, const at::Tensor& seed) {
  return (logits_of(network, propagate_forward(network, images)) * seed).sum().item<double>();
}

/// The derivative of the product by one number, which is changed for the while.
double difference(const Network& network, const at::Tensor& images, const at::Tensor& seed,
                  double& number) {
  constexpr double kStep = 1e-6;
  const double before = number;
  number = before + kStep;
  const double above = product(network, images, seed);
  number = before - kStep;
  const double below = product(network, images, seed);
  number = before;
  return (above - below) / (2 * kStep);
}

/// At most this many numbers of each tensor are changed.
constexpr std::int64_t kMostNumbers = 40;

void expect_differences(const Network& network, const at::Tensor& images, const at::Tensor& seed,
                        const at::Tensor& changed, const at::Tensor& gradient) {
  ASSERT_TRUE(changed.is_contiguous() && gradient.sizes() == changed.sizes());
  const at::Tensor claimed = gradient.contiguous();
  const std::int64_t count = changed.numel();
  for (std::int64_t i = 0; i < count; i += 1 + (count - 1) / kMostNumbers) {
    double& number = changed.data_ptr<double>()[i];
    EXPECT_NEAR(claimed.data_ptr<double>()[i], difference(network, images, seed, number), 1e-6)
        << "number " << i << " of " << count;
  }
}

void expect_gradients(const Graph& graph, int batch, const Device& device = {}) {
  Network drawn = test::network(graph);
  test::draw_scales_and_shifts(drawn);
  const Network network = drawn.on(device);
  const at::Tensor images = test::images(graph, batch);
  const Forward forward = propagate_forward(network, images);
  const at::Tensor seed = at::randn(logits_of(network, forward).sizes(),
                                    at::detail::createCPUGenerator(11), at::kDouble);
  const Gradients found =
      propagate_backward(network, forward, graph.output(), seed, {.outputs = {0}});
  for (NodeId id = 0; id < graph.size(); ++id) {
    SCOPED_TRACE(graph.name(id));
    const auto& [weight, bias] = network.parameters(id);
    const auto& [by_weight, by_bias] = found.parameters[static_cast<std::size_t>(id)];
    if (by_weight.defined()) expect_differences(network, images, seed, weight, by_weight);
    if (by_bias.defined()) expect_differences(network, images, seed, bias, by_bias);
  }
  expect_differences(network, images, seed, images, found.outputs[0]);
}

TEST(FiniteDifferences, AreTheGradientsOfEveryOperator) {
  for (const auto& [width, is_grouped] : {std::pair{4, false}, {4, true}, {32, false}}) {
    SCOPED_TRACE(testing::Message() << width << " channels, grouped: " << is_grouped);
    const Graph graph = every_operator(width, is_grouped);
    EXPECT_EQ(test::network(graph).is_channels_last(), width > 4 || is_grouped);
    expect_gradients(graph, 3);
  }
}

TEST(FiniteDifferences, AreTheGradientsOfTimeSeries) {
  for (const bool is_grouped : {false, true}) {
    SCOPED_TRACE(is_grouped);
    const Graph graph = time_series(is_grouped);
    EXPECT_EQ(test::network(graph).is_channels_last(), is_grouped);
    expect_gradients(graph, 3);
  }
}

/// What GPUs run, on the CPU.
TEST(FiniteDifferences, AreTheGradientsOfLibTorchsOperatorsAlone) {
  for (const bool is_grouped : {false, true})
    for (const Graph& graph : {every_operator(8, is_grouped), time_series(is_grouped)}) {
      SCOPED_TRACE(is_grouped);
      EXPECT_FALSE(test::network(graph).on({"plain"}).is_channels_last());
      expect_gradients(graph, 3, {"plain"});
    }
}

}  // namespace
}  // namespace thimble::finite_differences_test
