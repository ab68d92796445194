#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/report/benchmark.hpp>

namespace thimble {

/// Fills outcome.quantities from the rest.
THIMBLE_EXPORT void measure(PointOutcome& outcome, const Benchmark* benchmark);

/// Speed-ups against the baseline row's mean latency, for all points at once.
THIMBLE_EXPORT void add_speedups(std::vector<PointOutcome>& outcomes, const std::string& baseline);

}  // namespace thimble
