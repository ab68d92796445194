#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/train/task.hpp>

namespace thimble {

/// How well a network does on the test part of a data set.
struct TestOutcome {
  std::int64_t samples = 0;
  std::vector<double> metrics;      ///< the task's
  std::vector<NamedTable> details;  ///< the task's
};

/// Of a network with its statistics. Throws Error when there are no test samples, or they do not
/// fit it.
THIMBLE_EXPORT TestOutcome test_float(const Network& network, const Dataset& dataset,
                                      const Task& task, int jobs);

/// Of what runs on the board, by the reference, which is slow: on `samples` of the test part,
/// spread over all of it; 0: on all. `input` is the network's.
THIMBLE_EXPORT TestOutcome test_int8(const Int8Network& network, const Shape& input,
                                     const Dataset& dataset, const Task& task, std::int64_t samples,
                                     int jobs);

}  // namespace thimble
