#pragma once

#include <vector>

#include <thimble/graph/graph.hpp>

namespace thimble {

/// For every node: does it depend on the input, and does the output depend on it?
struct Reach {
  std::vector<bool> from_input;
  std::vector<bool> to_output;
  bool is_live(NodeId id) const {
    return from_input[static_cast<std::size_t>(id)] && to_output[static_cast<std::size_t>(id)];
  }
};

Reach reach(const Graph& graph);

}  // namespace thimble
