#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>

/// Structured pruning: whole channels are removed, so that what is left is a smaller network and
/// not a sparse one. All functions are pure.
namespace thimble {

/// Channels of which any may be removed; but each only from all nodes at once where it meets
/// others. Sums join the channels of their terms, depthwise convolutions, batch norms and pools
/// pass each on, a concatenation shifts them.
struct ChannelGroup {
  std::vector<NodeId> producers;  ///< whose outputs they are: convolutions and linear, ascending
  int channels = 0;
};

/// What goes with what in a network.
struct Coupling {
  /// A channel's place in its group; no group when it must stay: those of the network's input and
  /// output, and of convolutions in groups, unless these are depthwise.
  struct Place {
    std::int32_t group = -1;
    std::int32_t index = 0;
  };
  std::vector<ChannelGroup> groups;
  std::vector<std::vector<Place>> places;  ///< of every node, channel by channel
};

/// Throws Error when the graph has an open choice. Cost: nearly linear in the channels of all
/// nodes.
THIMBLE_EXPORT Coupling coupled_channels(const Graph& graph);

/// Kernels for microcontrollers take four channels at a time.
inline constexpr int kChannelMultiple = 4;

/// How many of `channels` remain when this share of them, in [0, 1], is to go: rounded up to a
/// multiple; at least 4, as far as there are that many.
THIMBLE_EXPORT int remaining_channels(int channels, double sparsity,
                                      int multiple = kChannelMultiple);

/// A network without some of its channels.
struct Pruned {
  Graph graph;  ///< node for node, and name for name, the one it was made from
  /// For every node, which channels of the original it has, ascending: what weights are carried
  /// over by. A convolution keeps the filters of its own channels and in each (unless it is
  /// depthwise) the planes of its input's.
  std::vector<std::vector<int>> kept;
};

/// Removes from each channel group its share. `sparsity` has a number in [0, 1] for each group of
/// `coupling`, which is that of `graph`. `scores` has one for each channel of each group, and the
/// highest stay (of equal ones the first); without any scores the first channels do: before there
/// are weights one channel is as good as another. Throws Error when numbers do not match.
THIMBLE_EXPORT Pruned pruned(const Graph& graph, const Coupling& coupling,
                             std::span<const double> sparsity,
                             const std::vector<std::vector<double>>& scores = {});

/// For each channel of each group, whether it stays.
using KeptChannels = std::vector<std::vector<bool>>;

/// Removes all channels but these. Throws Error when they are not those of `coupling`.
THIMBLE_EXPORT Pruned pruned_to(const Graph& graph, const Coupling& coupling,
                                const KeptChannels& kept);

}  // namespace thimble
