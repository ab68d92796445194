#pragma once

#include <string>
#include <vector>

#include <thimble/graph/graph.hpp>

/// The networks of NAS-Bench-201 built by hand, for tests and benchmarks that want no plugin.
namespace thimble::test {

inline NodeId relu_conv_bn(Graph& g, NodeId x, int out, int kernel, int stride = 1) {
  const int half = kernel / 2;
  return g.batch_norm(g.conv(g.relu(x), {.out = out,
                                         .kernel = {kernel, kernel},
                                         .stride = {stride, stride},
                                         .padding = {half, half}}));
}

/// Operator by its name in the benchmark.
inline NodeId operation(Graph& g, NodeId x, const std::string& name) {
  const Shape shape = g.node(x).shape;
  if (name == "none") return g.zero(shape);
  if (name == "nor_conv_1x1") return relu_conv_bn(g, x, shape.channels, 1);
  if (name == "nor_conv_3x3") return relu_conv_bn(g, x, shape.channels, 3);
  if (name == "avg_pool_3x3")
    return g.avg_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
  return x;  // skip_connect
}

/// What lies on an edge: one operator's name, or several, which are then a choice.
using EdgeOptions = std::vector<std::string>;

/// Six edges, 0->1, 0->2, 1->2, 0->3, 1->3, 2->3, in this order.
inline NodeId cell(Graph& g, NodeId x, const std::vector<EdgeOptions>& edges) {
  std::vector<NodeId> nodes{x};
  std::size_t edge = 0;
  for (int target = 1; target < 4; ++target) {
    std::vector<NodeId> terms;
    for (int source = 0; source < target; ++source, ++edge) {
      const NodeId from = nodes[static_cast<std::size_t>(source)];
      if (edges[edge].size() == 1) {
        terms.push_back(operation(g, from, edges[edge][0]));
        continue;
      }
      std::vector<Graph::Option> options;
      for (const std::string& name : edges[edge])
        options.push_back({name, [&g, from, name] { return operation(g, from, name); }});
      terms.push_back(g.choice("edge_" + std::to_string(edge), options));
    }
    nodes.push_back(g.add(terms));
  }
  return nodes.back();
}

inline NodeId residual(Graph& g, NodeId x, int out) {
  const NodeId once = relu_conv_bn(g, x, out, 3, 2);
  const NodeId twice = relu_conv_bn(g, once, out, 3);
  const NodeId shortcut = g.conv(g.avg_pool(x, {}), {.out = out});
  return g.add(std::vector<NodeId>{shortcut, twice});
}

/// The benchmark's skeleton with one cell per stage: the small network of TE-NAS has 3 channels.
inline Graph nas_bench_201(const std::vector<EdgeOptions>& edges, int channels = 3, int size = 32,
                           int classes = 10) {
  Graph g;
  NodeId x = g.input({3, size, size});
  x = g.batch_norm(g.conv(x, {.out = channels, .kernel = {3, 3}, .padding = {1, 1}}));
  x = cell(g, x, edges);
  x = residual(g, x, 2 * channels);
  x = cell(g, x, edges);
  x = residual(g, x, 4 * channels);
  x = cell(g, x, edges);
  g.linear(g.global_avg_pool(g.relu(g.batch_norm(x))), classes);
  return g;
}

inline std::vector<EdgeOptions> every_edge(const EdgeOptions& options) {
  return std::vector<EdgeOptions>(6, options);
}

/// What TE-NAS starts from: four operators on every edge.
inline Graph te_nas_supernet() {
  return nas_bench_201(
      every_edge({"skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}));
}

}  // namespace thimble::test
