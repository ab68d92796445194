#pragma once

#include <cstdint>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/train/optimiser.hpp>
#include <thimble/train/recipe.hpp>

namespace thimble {

/// What an epoch came to, over its samples as they were seen.
struct EpochOutcome {
  double loss = 0;  ///< mean
  double accuracy = 0;
  double learning_rate = 0;  ///< of the last step
};

/// Trains a network on the training part of a data set, an epoch at a time. A batch is cut into
/// the recipe's micro-batches, which run side by side, each with batch norm's statistics of its
/// own; their gradients are added in one order. So weights depend on network, data, recipe and
/// seed, not on `jobs`.
class THIMBLE_EXPORT Trainer {
 public:
  /// Network and data must outlive this; the network's tensors become views of one buffer.
  Trainer(Network& network, const Dataset& data, const Recipe& recipe, std::uint64_t seed,
          int jobs);

  std::int64_t steps_of_epoch() const noexcept { return steps_of_epoch_; }
  int epochs_done() const noexcept { return epochs_done_; }

  /// Goes once through the samples, in an order that the seed and the epoch's number decide. Throws
  /// Error when loss or gradient are not finite, and Interrupted between two steps.
  EpochOutcome run_epoch();

 private:
  struct StepOutcome {
    double loss_sum = 0;
    std::int64_t right = 0;
  };

  StepOutcome step(const Samples& batch, double learning_rate);

  Network& network_;
  const Dataset& data_;
  Recipe recipe_;
  std::uint64_t seed_;
  int jobs_;
  FlatParameters parameters_;
  Optimiser optimiser_;
  std::int64_t samples_;
  std::int64_t batch_;
  std::int64_t steps_of_epoch_;
  int epochs_done_ = 0;
};

/// Sets what batch norms normalise by to mean and variance over all of these samples, as runs of
/// `batch` samples with their own statistics see them.
THIMBLE_EXPORT void settle_statistics(Network& network, const Samples& samples, std::int64_t batch);

/// The share of the first `samples` samples of a split that the network, with its statistics, has
/// right.
THIMBLE_EXPORT double accuracy(const Network& network, const Dataset& data, Split split,
                               std::int64_t samples, int jobs);

}  // namespace thimble
