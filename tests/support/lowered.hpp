#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <thimble/deploy/int8_network.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "support/cells.hpp"

/// Small networks to be lowered to int8 and exported, and images for them.
namespace thimble::test {

struct LoweredCase {
  std::string name;
  Graph graph;
  double decibels;  ///< what lowering keeps of every tensor, at least
};

inline Graph one_of_each() {
  Graph g;
  const NodeId x = g.conv(g.input({3, 11, 9}),
                          {.out = 8, .kernel = {3, 5}, .stride = {2, 1}, .padding = {1, 2}});
  const NodeId a = g.relu(g.batch_norm(x), Activation::relu6);
  const NodeId b = g.max_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
  const NodeId c =
      g.relu(g.batch_norm(g.conv(a, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .groups = 8})));
  const NodeId d = g.conv(b, {.out = 8, .groups = 2, .bias = true});
  const NodeId sum = g.batch_norm(g.add({{a, c, d}}));
  const NodeId pooled = g.avg_pool(g.concat({{sum, b}}), {});
  g.softmax(g.linear(g.relu(g.linear(pooled, 7)), 5));
  return g;
}

inline std::vector<LoweredCase> lowered_cases() {
  std::vector<LoweredCase> all;
  all.push_back({"one of each", one_of_each(), 22});
  const std::vector<std::vector<std::string>> cells{
      {"nor_conv_3x3", "skip_connect", "nor_conv_1x1", "avg_pool_3x3", "none", "nor_conv_3x3"},
      {"avg_pool_3x3", "nor_conv_1x1", "skip_connect", "skip_connect", "nor_conv_3x3", "none"}};
  for (const auto& names : cells) {
    std::vector<EdgeOptions> edges;
    for (const auto& name : names) edges.push_back({name});
    all.push_back({names[0], nas_bench_201(edges, 8, 16), 16});
  }
  return all;
}

/// count x C x H x W, as a network's input asks for.
inline at::Tensor images_for(const Graph& graph, int count, std::uint64_t seed) {
  const Shape& shape = graph.node(0).shape;
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn({count, shape.channels, shape.height, shape.width}, generator, at::kFloat);
}

}  // namespace thimble::test
