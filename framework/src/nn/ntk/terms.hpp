#pragma once

#include <string>
#include <vector>

#include <thimble/graph/graph.hpp>

namespace thimble::ntk {

/// One way from a cotangent that is stored (that of `from`) down to the next one (that of `to`).
/// Seen in that direction: a factor, batch norm, one windowed linear operator (convolution, pool,
/// fully connected), ReLU. All but the factor are optional. Sums and choices on the way have become
/// the factor, so what lies between costs no memory.
struct Term {
  NodeId from = -1;
  NodeId to = -1;
  double factor = 1.0;
  NodeId norm = -1;
  NodeId window = -1;
  bool is_rectified = false;
};

/// How the cotangent of a graph's output reaches all weights.
struct Terms {
  /// By the node they go to; only nodes with terms, and the output, store a cotangent.
  std::vector<std::vector<Term>> into;
  /// The batch norms that read a stored cotangent directly, by its node, with their factor.
  std::vector<std::vector<Term>> norms;
  /// False where no weight lies before a node: its cotangent is not needed.
  std::vector<bool> is_wanted;
  /// How many terms read a node's cotangent.
  std::vector<int> readers;
  /// How many nodes on the way to the output read a node; 0 where nothing depends on it.
  std::vector<int> uses;
};

/// What the output depends on that terms cannot say, as "relu6"; nothing where they can.
std::string unknown_in(const Graph& graph);

/// Throws Error where something is unknown.
Terms terms_of(const Graph& graph);

}  // namespace thimble::ntk
