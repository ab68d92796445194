// Choices of widths: what is left of masks where all choices are made, against what the very
// network computes that is written down narrow.

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <support/problem_of.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/network.hpp>

namespace thimble::channels_test {
namespace {

constexpr std::array kWidths{2, 4, 6};

/// conv - BN - ReLU of a decided width, a depthwise convolution, a sum of two terms, a
/// concatenation of two widths, a classifier.
Graph supernet() {
  Graph g;
  NodeId x = g.input({3, 8, 8});
  const auto block = [&](NodeId in, const std::string& name) {
    const NodeId y =
        g.relu(g.batch_norm(g.conv(in, {.out = 6, .kernel = {3, 3}, .padding = {1, 1}})));
    return g.channels(y, name, kWidths);
  };
  const NodeId a = block(x, "a");
  const NodeId depthwise =
      g.conv(a, {.out = 6, .kernel = {3, 3}, .padding = {1, 1}, .groups = 6, .bias = true});
  const NodeId sum = g.channels(
      g.relu(
          g.add(std::array{g.batch_norm(g.conv(depthwise, {.out = 6})),
                           g.choice("residual", {{"off", [&] { return g.zero({6, 8, 8}); }},
                                                 {"on", [&] { return g.conv(x, {.out = 6}); }}})})),
      "b", kWidths);
  const NodeId joined = g.concat(std::array{a, sum});
  g.set_output(g.linear(g.max_pool(joined, {.kernel = {4, 4}, .stride = {4, 4}}), 5));
  return g;
}

/// The supernet with one option each, channels masked and not removed: by removing options one at a
/// time until one choice is left open, which is filled with its two equal halves.
at::Tensor masked_outputs(const Graph& graph, const at::Tensor& images, int a, int residual,
                          int b) {
  Network whole{graph};
  whole.initialise(Init::kaiming_normal_fan_in, 1, "channels");
  // Written out: what the masks say.
  const auto& conv = [&](const char* part) {
    for (NodeId id = 0; id < graph.size(); ++id)
      if (graph.name(id) == part) return whole.parameters(id);
    throw Error{std::string{"no node "} + part};
  };
  const auto norm = [](const at::Tensor& x) {
    return at::batch_norm(x, {}, {}, {}, {}, true, 0, 1e-5, false);
  };
  const auto mask = [](const at::Tensor& x, int width) {
    at::Tensor y = x.clone();
    y.narrow(1, width, y.size(1) - width).zero_();
    return y;
  };
  const at::Tensor first = mask(norm(at::conv2d(images, conv("conv1").weight, {}, 1, 1)).relu(), a);
  at::Tensor y = at::conv2d(first, conv("conv8").weight, conv("conv8").bias, 1, 1, 1, 6);
  y = norm(at::conv2d(y, conv("conv9").weight));
  if (residual == 1) y = y + at::conv2d(images, conv("residual/on/conv12").weight);
  y = mask(y.relu(), b);
  const NodeId last = graph.output();
  return at::linear(at::max_pool2d(at::cat({first, y}, 1), {4, 4}, {4, 4}).flatten(1),
                    whole.parameters(last).weight, whole.parameters(last).bias);
}

/// The network of these options, with the supernet's weights.
Network extracted_network(const Graph& graph, const std::vector<int>& options) {
  Network whole{graph};
  whole.initialise(Init::kaiming_normal_fan_in, 1, "channels");
  const Extracted part = extracted(graph, options);
  Network made{part.graph};
  const auto choose = [](const at::Tensor& of, std::int64_t dimension,
                         const std::vector<int>& kept) {
    return of.index_select(dimension,
                           at::tensor(std::vector<std::int64_t>{kept.begin(), kept.end()}));
  };
  for (NodeId id = 0; id < part.graph.size(); ++id) {
    if (!made.parameters(id).weight.defined()) continue;
    NodeId from = 0;
    while (graph.name(from) != part.graph.name(id)) ++from;
    const auto& kept = part.kept[static_cast<std::size_t>(id)];
    const auto& read = part.kept[static_cast<std::size_t>(part.graph.inputs(id)[0])];
    at::Tensor weight = choose(whole.parameters(from).weight, 0, kept);
    if (part.graph.node(id).op == Op::linear) {
      weight = choose(weight.view({weight.size(0), 12, -1}), 1, read).flatten(1);
    } else if (part.graph.node(id).op == Op::conv && part.graph.node(id).groups == 1) {
      weight = choose(weight, 1, read);
    }
    made.parameters(id).weight = weight;
    if (whole.parameters(from).bias.defined())
      made.parameters(id).bias = choose(whole.parameters(from).bias, 0, kept);
  }
  return made;
}

TEST(Channels, OfAllWidthsComputeWhatTheirMasksSay) {
  const Graph graph = supernet();
  const at::Tensor images = at::randn({4, 3, 8, 8});
  for (int a = 0; a < 3; ++a)
    for (int residual = 0; residual < 2; ++residual)
      for (int b = 0; b < 3; ++b) {
        const Network network = extracted_network(graph, {a, residual, b});
        const at::Tensor expected =
            masked_outputs(graph, images, kWidths.at(static_cast<std::size_t>(a)), residual,
                           kWidths.at(static_cast<std::size_t>(b)));
        EXPECT_TRUE(at::allclose(network.forward(images), expected, 1e-5, 1e-5))
            << a << residual << b;
      }
}

TEST(Channels, AreGoneWhereAllChoicesAreMade) {
  const Graph narrow = resolved(supernet(), std::array{1, 1, 0});
  Graph same;
  const NodeId x = same.input({3, 8, 8});
  const NodeId a =
      same.relu(same.batch_norm(same.conv(x, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}})));
  const NodeId depthwise =
      same.conv(a, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}, .groups = 4, .bias = true});
  const NodeId sum = same.relu(same.add(
      std::array{same.batch_norm(same.conv(depthwise, {.out = 2})), same.conv(x, {.out = 2})}));
  same.linear(same.max_pool(same.concat(std::array{a, sum}), {.kernel = {4, 4}, .stride = {4, 4}}),
              5);
  EXPECT_EQ(macs(narrow), macs(same));
  EXPECT_EQ(params(narrow), params(same));
  ASSERT_EQ(narrow.size(), same.size());
  std::multiset<std::string> ops, expected;
  for (const Node& node : narrow.nodes()) ops.insert(name_of(node.op) + to_string(node.shape));
  for (const Node& node : same.nodes()) expected.insert(name_of(node.op) + to_string(node.shape));
  EXPECT_EQ(ops, expected);
}

TEST(Channels, OfAnOpenNetworkAreMasked) {
  const Graph graph = supernet();
  AliveOptions alive = all_alive(graph);
  alive[0] = 1;  // 2 channels
  const Graph left = restricted(graph, alive);
  EXPECT_EQ(std::ranges::count(left.nodes(), Op::mask, &Node::op), 1 + 3);
  EXPECT_EQ(resolved(left, std::array{0, 1, 2}).size(),
            resolved(graph, std::array{0, 1, 2}).size());
}

TEST(Channels, OfOneWidthAreNoChoice) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), {.out = 8});
  EXPECT_EQ(g.channels(x, "width", std::array{8}), x);
  EXPECT_FALSE(g.is_supernet());
}

TEST(Channels, WidthsAscendAndEndWithAll) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), {.out = 8});
  for (const std::vector<int>& widths :
       std::vector<std::vector<int>>{{}, {4}, {4, 4, 8}, {8, 4}, {0, 8}, {4, 8, 12}})
    EXPECT_THROW(g.channels(x, "width", widths), Error);
}

TEST(Channels, ThatCannotBeRemovedAreRefused) {
  const auto narrowed = [](const auto& build) {
    Graph g;
    const NodeId x = g.conv(g.input({3, 4, 4}), {.out = 8, .kernel = {3, 3}, .padding = {1, 1}});
    build(g, x, g.channels(x, "width", std::array{4, 8}));
    return problem_of([&] { resolved(g, std::array{0}); });
  };
  const auto classify = [](Graph& g, NodeId x) { g.linear(g.global_avg_pool(x), 2); };
  EXPECT_EQ(narrowed([&](Graph& g, NodeId, NodeId y) { classify(g, y); }), "no problem");
  EXPECT_THAT(narrowed([&](Graph& g, NodeId x, NodeId y) {
                classify(g, g.add(std::array{x, y}));
              }),
              ::testing::HasSubstr("is narrower than other terms"));
  EXPECT_THAT(narrowed([&](Graph& g, NodeId, NodeId y) { classify(g, g.batch_norm(y)); }),
              ::testing::HasSubstr("channels that are hidden"));
  EXPECT_THAT(narrowed([&](Graph& g, NodeId, NodeId y) {
                classify(g, g.conv(y, {.out = 8, .groups = 2}));
              }),
              ::testing::HasSubstr("groups cannot be told apart"));
}

}  // namespace
}  // namespace thimble::channels_test
