#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>

/// Graphs made from graphs. Node names survive, so weights found by name do too. All are pure.
namespace thimble {

/// Everything alive: the state in which a search begins.
THIMBLE_EXPORT AliveOptions all_alive(const Graph& supernet);

/// The options whose bits are set, ascending.
THIMBLE_EXPORT std::vector<int> options_in(std::uint64_t alive);

/// The same state, but that one option is dead.
THIMBLE_EXPORT AliveOptions without(AliveOptions alive, std::size_t decision, int option);

/// The supernet in which only these options are alive. A choice with one option left becomes that
/// option; nodes built for other options are gone; where no choice is left, so are masks and the
/// channels that they hide. `alive` has one non-empty mask a decision.
/// Restricting step by step comes to the same as at once; throws Error when nothing is left of a
/// choice, or of a decision that was taken otherwise.
THIMBLE_EXPORT Graph restricted(const Graph& supernet, const AliveOptions& alive);

/// The single network with this option for each decision, without the channels that are masked.
THIMBLE_EXPORT Graph resolved(const Graph& supernet, std::span<const int> options);

/// The same, and which channels of the supernet's node of that name each of its nodes has,
/// ascending: what weights are carried over by.
struct Extracted {
  Graph graph;
  std::vector<std::vector<int>> kept;
};
THIMBLE_EXPORT Extracted extracted(const Graph& supernet, std::span<const int> options);

/// True when the output depends on the input at all.
THIMBLE_EXPORT bool is_connected(const Graph& graph);

/// Without nodes that do not depend on the input or do not reach the output; sums lose their
/// constant terms, while choices and concatenations keep a zero for them. The graph must be
/// connected.
THIMBLE_EXPORT Graph live(const Graph& graph);

/// The same with what batch norm reads in place of what it gives.
THIMBLE_EXPORT Graph without_batch_norm(const Graph& graph);

/// The same with filters and biases alone: a depthwise convolution of 1x1 in place of every batch
/// norm, and a bias for every convolution.
THIMBLE_EXPORT Graph as_filters(const Graph& graph);

/// The network as a code generator runs it, from a connected graph without open choices: live
/// nodes only, batch norm folded into the convolution before it, equal nodes merged, and a ReLU
/// fused into its producer when nobody else reads that. A ReLU behind a tensor with other readers
/// stays an operator of its own.
THIMBLE_EXPORT Graph deployed(const Graph& graph);

/// The same, with the nodes of `graph` that went into each node of `deployed`, in the order in
/// which they run: a convolution, its batch norm, its ReLU.
struct Deployment {
  Graph deployed;
  std::vector<std::vector<NodeId>> made_of;
};
THIMBLE_EXPORT Deployment deployment(const Graph& graph);

}  // namespace thimble
