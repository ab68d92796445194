#include "network.hpp"

namespace zoo {

NodeId convolution(Graph& graph, NodeId x, const Graph::Conv& conv, Activation activation) {
  const NodeId y = graph.batch_norm(graph.conv(x, conv));
  return activation == Activation::none ? y : graph.relu(y, activation);
}

Graph::Conv square(int out, int kernel, int stride, int groups) {
  return {.out = out,
          .kernel = {kernel, kernel},
          .stride = {stride, stride},
          .padding = {kernel / 2, kernel / 2},
          .groups = groups};
}

NodeId classifier(Graph& graph, NodeId x, int classes) {
  return graph.linear(graph.global_avg_pool(x), classes);
}

const std::vector<Network>& all_networks() {
  static const std::vector<Network> kAll = [] {
    std::vector<Network> made;
    for (const auto& some : {mlperf_tiny_networks(), mcunet_networks(), time_series_networks()})
      made.insert(made.end(), some.begin(), some.end());
    return made;
  }();
  return kAll;
}

}  // namespace zoo
