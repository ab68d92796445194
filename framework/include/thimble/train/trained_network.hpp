#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/pruning.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/train/epoch.hpp>

namespace thimble {

/// What the board's integers are made from.
struct BoardNetwork {
  FloatNetwork real;  ///< folded; lower() makes the integers
  FormOutcome learned;
};

/// A network that learned, as it lies in its file.
struct TrainedNetwork {
  Network network;  ///< with its weights and batch norm's statistics
  FormOutcome learned = {};
  std::map<std::string, std::string> about = {};  ///< what the file says of itself
  std::optional<BoardNetwork> board = {};         ///< where it was quantised
  /// Where it was pruned by a share of its recipe: what was kept of the groups that
  /// coupled_channels() finds in the graph it was made from.
  KeptChannels kept_channels = {};

  /// What it is called: float, or pruned.
  const char* form() const { return about.contains("pruned") ? "pruned" : "float"; }
};

/// A network's weights and statistics by the names of its nodes, as PyTorch calls them:
/// NODE.weight, NODE.bias, NODE.running_mean, NODE.running_var.
THIMBLE_EXPORT std::map<std::string, at::Tensor> named_weights(const Network& network);
/// Gives a network such weights. Throws Error when one is missing, of another shape or not finite.
THIMBLE_EXPORT void set_weights(Network& network, const std::map<std::string, at::Tensor>& weights);

/// A file of the safetensors format. Throws Error when it cannot be written.
THIMBLE_EXPORT void write_trained(const std::filesystem::path& file, const TrainedNetwork& trained);
/// `graph` is that of before any pruning by a recipe's share; of a network whose pruning was
/// decided in the search, that which is left. Throws InputError when the file is missing or
/// damaged, or holds another network's weights.
THIMBLE_EXPORT TrainedNetwork read_trained(const Graph& graph, const std::filesystem::path& file);

}  // namespace thimble
