#pragma once

#include <optional>

namespace thimble {

/// What an epoch of a training came to.
struct EpochOutcome {
  double learning_rate = 0;  ///< of the last step
  double loss = 0;           ///< mean over the samples as they were learned from
  /// The task's first metric, of the samples as they were learned from.
  double train_metric = 0;
  /// The same of the validation part, by the weights and statistics that would be handed on.
  std::optional<double> validation_metric;
};

}  // namespace thimble
