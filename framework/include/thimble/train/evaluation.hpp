#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/task.hpp>

namespace thimble {

/// How well a network does on the test part of a data set.
struct TestOutcome {
  std::int64_t samples = 0;
  std::vector<double> metrics;      ///< the task's
  std::vector<NamedTable> details;  ///< the task's
};

/// Of a network for images of this size. Throws Error when there are no test samples, or they do
/// not fit it.
THIMBLE_EXPORT TestOutcome test_of(const Outputs& outputs, const Shape& input,
                                   const Dataset& dataset, const Task& task, int jobs);

}  // namespace thimble
