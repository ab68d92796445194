#pragma once

#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

/// The outputs of a network's building blocks, in order. A block is a scope of names, the innermost
/// around a node that no choice has opened ("stage0/cell1" of "stage0/cell1/edge/skip/conv7"), and
/// its output the last of its nodes that every path from the input to the output goes through; a
/// scope without one is no block. In a network without any scope, every such node before the
/// pooling and the classifier is one. Nodes outside of all scopes, and the input, are part of no
/// block. Cost: linear in nodes and edges.
THIMBLE_EXPORT std::vector<NodeId> block_outputs(const Graph& graph);

}  // namespace thimble
