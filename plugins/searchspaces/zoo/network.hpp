#pragma once

#include <string>
#include <vector>

#include <thimble/graph/graph.hpp>

/// Known networks, and what they are built with.
namespace zoo {

using thimble::Activation;
using thimble::Graph;
using thimble::NodeId;
using thimble::Shape;

/// A network as published.
struct Network {
  const char* name;
  Shape input;
  int classes;  ///< of its last layer; 0: as many outputs as the input has elements
  /// Appends everything behind the input, down to the outputs.
  NodeId (*body)(Graph& graph, NodeId x, int outputs);
};

/// Convolution without bias, batch norm, activation.
NodeId convolution(Graph& graph, NodeId x, const Graph::Conv& conv,
                   Activation activation = Activation::relu);
/// A window of kernel x kernel, padded so that only the stride makes maps smaller.
Graph::Conv square(int out, int kernel, int stride = 1, int groups = 1);
/// Global average pool and fully connected layer.
NodeId classifier(Graph& graph, NodeId x, int classes);

std::vector<Network> mlperf_tiny_networks();
std::vector<Network> mcunet_networks();
std::vector<Network> time_series_networks();

/// All there are. A new one is an entry in one of the files.
const std::vector<Network>& all_networks();

}  // namespace zoo
