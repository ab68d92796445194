#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/propagation/device.hpp>
#include <thimble/train/epoch.hpp>
#include <thimble/train/recipe.hpp>

namespace thimble {

class Dataset;
class Task;
struct StartWeights;

/// One training: what its result depends on, and where that is kept.
struct TrainingOrder {
  const Graph* graph = nullptr;
  const Dataset* dataset = nullptr;
  const Task* task = nullptr;
  Recipe recipe;
  std::uint64_t seed = 0;
  /// Its state, an epoch at a time, and its result at the end; a training that finds its result
  /// there is over at once. Made when missing. One for each thing that the result depends on.
  std::filesystem::path folder;
  /// The same of the training in float that integers are made of, which other orders may share;
  /// where none is named, a folder in that one.
  std::filesystem::path float_folder = {};
  /// Likewise of the whole network, where pruning begins with what it has learned.
  std::filesystem::path whole_folder = {};
  /// Weights of this network, or of one that has much in common with it: what has the same name and
  /// shape there is what it starts with, in place of new ones. Or none.
  const StartWeights* start = nullptr;
  /// What the result's file says of itself, beside recipe and seed.
  std::map<std::string, std::string> about;
  int jobs = 1;
  /// What runs its passes in float; `folder` is of this one alone.
  Device device = {};
  /// Called with every epoch, also with those that were run before.
  std::function<void(const EpochOutcome&, std::size_t epoch)> progress = [](const EpochOutcome&,
                                                                            std::size_t) {};
  /// Told of a file in the folder that is damaged, and made anew; and where it starts with some of
  /// its weights only.
  std::function<void(const std::string& line)> say = [](const std::string&) {};
};

/// What came of it, beside the weights in its file.
struct TrainingOutcome {
  std::filesystem::path weights;  ///< a file that read_trained() reads
  FormOutcome real;               ///< in float: of the whole network, or pruned
  FormOutcome int8;               ///< of the integers, where there are any
  std::string failure;            ///< why there are none, where they were asked for
};

/// Whether its result is there.
THIMBLE_EXPORT bool is_trained(const TrainingOrder& order);

/// Trains a graph, which is that of before any pruning, from weights that its seed decides or that
/// it starts with, or goes on where an earlier call stopped: weights and epochs are those of
/// an unbroken training, bit for bit. Throws Error where data, task and network do not fit each
/// other or the training diverges, naming the stage, and Interrupted; epochs that are complete are
/// kept. Waits while another process trains in the folder.
THIMBLE_EXPORT TrainingOutcome train_network(const TrainingOrder& order);

}  // namespace thimble
