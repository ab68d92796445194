// Networks for time series of 1 x T x S: time down, sensors across.

#include "network.hpp"

namespace zoo {
namespace {

/// Three convolutions along time, the first of which reads all sensors at once. Ours: a plain
/// network to compare with, of the size that microcontrollers classify activities with.
NodeId cnn_1d(Graph& graph, NodeId x, int outputs) {
  for (const int out : {16, 32, 64})
    x = convolution(graph, x,
                    {.out = out,
                     .kernel = {5, graph.node(x).shape.width},
                     .stride = {2, 1},
                     .padding = {2, 0}});
  return classifier(graph, x, outputs);
}

}  // namespace

std::vector<Network> time_series_networks() { return {{"cnn_1d", {1, 128, 9}, 6, cnn_1d}}; }

}  // namespace zoo
