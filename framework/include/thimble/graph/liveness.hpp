#pragma once

#include <cstdint>
#include <functional>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

/// The moment at which most memory is live.
struct MemoryPeak {
  std::int64_t bytes = 0;
  NodeId node = -1;
};

/// Peak of all live tensors, the running node's inputs and output among them, plus that node's
/// scratch, when nodes run in the graph's order and one element takes `element_bytes`. A lower
/// bound for every static memory plan in that order. Cost: linear in nodes and edges.
THIMBLE_EXPORT MemoryPeak
peak_memory(const Graph& graph, std::int64_t element_bytes,
            const std::function<std::int64_t(const Node&)>& scratch_bytes);

}  // namespace thimble
