#include <thimble/graph/counts.hpp>

namespace thimble {
namespace {

std::int64_t weights_of_one_output(const Graph& graph, const Node& node) {
  if (node.op == Op::linear) return graph.input_shape(node).elements();
  const std::int64_t fan_in = graph.input_shape(node).channels / node.groups;
  return fan_in * node.kernel.height * node.kernel.width;
}

template <class Count>
std::int64_t sum_over(const Graph& graph, Count count) {
  std::int64_t total = 0;
  for (const Node& node : graph.nodes()) total += count(graph, node);
  return total;
}

}  // namespace

std::int64_t macs(const Graph& graph, const Node& node) {
  if (node.op != Op::conv && node.op != Op::linear) return 0;
  const std::int64_t products = node.shape.elements() * weights_of_one_output(graph, node);
  return products + (node.op == Op::linear && node.has_bias ? node.shape.elements() : 0);
}

std::int64_t params(const Graph& graph, const Node& node) {
  const std::int64_t channels = node.shape.channels;
  if (node.op == Op::batch_norm) return 2 * channels;
  if (node.op != Op::conv && node.op != Op::linear) return 0;
  return channels * weights_of_one_output(graph, node) + (node.has_bias ? channels : 0);
}

std::int64_t macs(const Graph& graph) {
  return sum_over(graph, [](const Graph& g, const Node& n) { return macs(g, n); });
}

std::int64_t params(const Graph& graph) {
  return sum_over(graph, [](const Graph& g, const Node& n) { return params(g, n); });
}

}  // namespace thimble
