#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/nn/propagation/device.hpp>

namespace thimble {

/// A training that has no result yet.
struct OpenTraining {
  std::size_t point = 0;
  std::string arch;
  std::string dataset;  ///< its name in `train.datasets`, or nothing
  std::uint64_t seed = 0;
};

/// How trainings are run.
struct TrainStage {
  /// Where they are kept, a folder each: what is trained once is trained for all runs.
  std::filesystem::path trainings;
  /// The file of weights that a point's search left; empty: of none.
  std::function<std::filesystem::path(std::size_t point)> found_weights = [](std::size_t) {
    return std::filesystem::path{};
  };
  int jobs = 1;
  Device device = {};
  std::function<void(const std::string&)> say = [](const std::string&) {};
  /// Epochs done of all that there are, over all trainings.
  std::function<void(std::int64_t done, std::int64_t all)> progress = [](std::int64_t,
                                                                         std::int64_t) {};
  /// Told of all that have to be run, before the first one is.
  std::function<void(const std::vector<OpenTraining>&)> prefetch =
      [](const std::vector<OpenTraining>&) {};
};

/// Throws InputError where trainings cannot start with what the experiment says: nobody should wait
/// for a search to be told.
THIMBLE_EXPORT void require_starts(const LoadedExperiment& experiment);

/// Gives the networks of all points their numbers, after those that a point's `train` lists have
/// been added to what it looked at.
THIMBLE_EXPORT void number_networks(std::vector<PointOutcome>& outcomes,
                                    const LoadedExperiment& experiment);

/// Trains what each point asks for, side by side. A training that fails (it diverges, say) is told,
/// and costs no other. Throws InputError for damaged data, and Interrupted; epochs that are
/// complete are kept.
THIMBLE_EXPORT void train_networks(std::vector<PointOutcome>& outcomes,
                                   const LoadedExperiment& experiment, const TrainStage& stage);

}  // namespace thimble
