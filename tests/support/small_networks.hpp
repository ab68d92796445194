#pragma once

#include <string>
#include <vector>

#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "cells.hpp"

/// Networks so small that everything about them can be computed a second way.
namespace thimble::test {

inline at::Tensor images(const Graph& graph, int batch, at::ScalarType precision = at::kDouble,
                         std::uint64_t seed = 7) {
  const Shape& shape = graph.node(0).shape;
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn({batch, shape.channels, shape.height, shape.width}, generator, at::kFloat)
      .to(precision);
}

inline Network network(const Graph& graph, at::ScalarType precision = at::kDouble,
                       std::uint64_t seed = 1) {
  Network made{graph, precision};
  made.initialise(Init::torch_default, seed, "test");
  return made;
}

/// Of batch norms, which start at 1 and 0.
inline void draw_scales_and_shifts(Network& net) {
  auto generator = at::detail::createCPUGenerator(3);
  for (NodeId id = 0; id < net.graph().size(); ++id) {
    if (net.graph().node(id).op != Op::batch_norm) continue;
    net.parameters(id).weight.uniform_(-1.0, 2.0, generator);
    net.parameters(id).weight[0].zero_();
    net.parameters(id).bias.uniform_(-1.0, 1.0, generator);
  }
}

inline double relative_error(const at::Tensor& value, const at::Tensor& truth) {
  const double scale = truth.abs().max().item<double>();
  return (value - truth).abs().max().item<double>() / (scale > 0.0 ? scale : 1.0);
}

/// Every way from the input to the output goes through small graphs like these.
struct Case {
  std::string name;
  Graph graph;
  int batch = 4;
};

inline Graph linear_only() {
  Graph g;
  g.linear(g.input({3, 2, 2}), 5);
  return g;
}

/// The operators that the tangent kernel does not know.
inline Graph joined() {
  Graph g;
  const NodeId x = g.conv(g.input({3, 9, 7}), {.out = 4, .kernel = {3, 3}, .padding = {1, 1}});
  const NodeId a = g.relu(g.batch_norm(x), Activation::relu6);
  const NodeId b = g.max_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
  const NodeId both = g.concat({{a, b}});
  g.softmax(g.linear(g.global_avg_pool(g.max_pool(both, {})), 5));
  return g;
}

inline Graph two_linear_layers() {
  Graph g;
  g.linear(g.relu(g.linear(g.input({2, 3, 3}), 7)), 4);
  return g;
}

inline Graph biased_convolutions() {
  Graph g;
  NodeId x = g.input({2, 6, 5});
  x = g.conv(x, {.out = 4, .kernel = {3, 2}, .padding = {1, 0}, .bias = true});
  x = g.conv(g.relu(x), {.out = 3, .kernel = {1, 3}, .stride = {1, 2}, .bias = true});
  g.linear(x, 3);
  return g;
}

inline Graph grouped_convolutions() {
  Graph g;
  NodeId x = g.input({4, 7, 7});
  x = g.batch_norm(g.conv(x, {.out = 6, .kernel = {3, 3}, .padding = {1, 1}, .groups = 2}));
  x = g.relu(x);
  x = g.batch_norm(
      g.conv(x, {.out = 6, .kernel = {5, 5}, .stride = {2, 2}, .padding = {2, 2}, .groups = 6}));
  x = g.conv(g.relu(x), {.out = 5, .kernel = {1, 1}});
  g.linear(g.global_avg_pool(g.relu(g.batch_norm(x))), 3);
  return g;
}

inline Graph strange_windows() {
  Graph g;
  NodeId x = g.input({2, 11, 9});
  x = g.batch_norm(g.conv(x, {.out = 3, .kernel = {4, 7}, .stride = {3, 2}, .padding = {2, 4}}));
  const NodeId pooled =
      g.avg_pool(g.relu(x), {.kernel = {3, 3}, .stride = {2, 1}, .padding = {1, 1}});
  x = g.batch_norm(g.avg_pool(pooled, {.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 0}}));
  x = g.conv(x, {.out = 4, .kernel = {1, 1}, .stride = {2, 2}, .padding = {1, 1}});
  g.linear(g.relu(x), 2);
  return g;
}

/// Batch norms and ReLUs with several readers, an addition of one, one that adds a node twice.
inline Graph shared_nodes() {
  Graph g;
  const NodeId x = g.input({3, 5, 5});
  const NodeId stem = g.batch_norm(g.conv(x, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}}));
  const NodeId positive = g.relu(stem);
  const NodeId a = g.conv(positive, {.out = 4});
  const NodeId b = g.conv(positive, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}});
  const NodeId twice = g.add(std::vector<NodeId>{a, b, a});
  const NodeId normed = g.batch_norm(twice);
  const NodeId one = g.add(std::vector<NodeId>{normed});
  const NodeId sum = g.add(std::vector<NodeId>{one, normed, stem, positive});
  const NodeId renormed = g.batch_norm(g.add(std::vector<NodeId>{g.relu(sum), twice}));
  g.linear(g.global_avg_pool(g.batch_norm(g.relu(renormed))), 4);
  return g;
}

/// A biased convolution of zeros still feeds its reader.
inline Graph fed_by_zeros() {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  const NodeId nothing = g.zero({2, 4, 4});
  const NodeId constant = g.conv(nothing, {.out = 3, .bias = true});
  const NodeId a = g.conv(constant, {.out = 3, .bias = true});
  const NodeId b = g.batch_norm(g.conv(g.relu(x), {.out = 3}));
  const NodeId dead = g.conv(b, {.out = 9});
  static_cast<void>(dead);
  const NodeId c = g.batch_norm(g.conv(g.batch_norm(nothing), {.out = 3}));
  g.linear(g.add(std::vector<NodeId>{a, b, c}), 2);
  return g;
}

/// No classifier: all elements of the last image are summed up.
inline Graph image_output() {
  Graph g;
  const NodeId x = g.batch_norm(g.input({2, 4, 4}));
  const NodeId y = g.batch_norm(g.conv(x, {.out = 2}));
  g.add(std::vector<NodeId>{g.relu(x), g.relu(y)});
  return g;
}

inline std::vector<Case> cases() {
  std::vector<Case> made{{"linear", linear_only(), 3},
                         {"two linear layers", two_linear_layers(), 5},
                         {"biased convolutions", biased_convolutions(), 4},
                         {"grouped convolutions", grouped_convolutions(), 6},
                         {"strange windows", strange_windows(), 4},
                         {"shared nodes", shared_nodes(), 3},
                         {"fed by zeros", fed_by_zeros(), 4},
                         {"image output", image_output(), 4}};
  for (const char* name : {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"})
    made.push_back({name, nas_bench_201(every_edge({name}), 3, 8), 4});
  const std::vector<EdgeOptions> mixed{{"nor_conv_3x3"}, {"none"},         {"avg_pool_3x3"},
                                       {"none"},         {"skip_connect"}, {"nor_conv_1x1"}};
  made.push_back({"mixed cell", nas_bench_201(mixed, 4, 8), 8});
  made.push_back({"wide cell, channels last", nas_bench_201(mixed, 16, 8), 8});
  const auto all =
      every_edge({"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"});
  made.push_back({"supernet", nas_bench_201(all, 3, 8), 2});
  made.push_back({"supernet, two blocks of lanes", nas_bench_201(all, 2, 8), 19});
  const Graph pruned = restricted(nas_bench_201(all, 3, 8), {0b11111, 1, 0b110, 0b10010, 8, 0b11});
  made.push_back({"pruned supernet", pruned, 5});
  return made;
}

}  // namespace thimble::test
