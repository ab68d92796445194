#pragma once

#include <optional>
#include <vector>

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

/// What the training of one form of a network came to.
struct FormOutcome {
  std::vector<EpochOutcome> epochs;  ///< none where nothing learned: int8 made by ptq
  std::vector<double> metrics;       ///< the task's, of the test part
};

}  // namespace thimble
