#pragma once

#include <thimble/graph/graph.hpp>

namespace thimble {

/// A convolution each of whose outputs reads one channel of its input; several may read the same.
inline bool reads_single_channels(const Graph& graph, const Node& node) {
  return node.op == Op::conv && node.groups > 1 && node.groups == graph.input_shape(node).channels;
}

}  // namespace thimble
