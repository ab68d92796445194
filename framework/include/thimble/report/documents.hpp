#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/value.hpp>
#include <thimble/experiment/outcome.hpp>

namespace thimble {

/// Everything of result_table() and the fronts, with origin and error of each cost; no durations,
/// so that equal runs give equal files. `remarks` are of the whole run.
THIMBLE_EXPORT Value result_document(const std::vector<PointOutcome>& outcomes,
                                     const std::vector<std::string>& remarks = {});
THIMBLE_EXPORT Value timing_document(const std::vector<PointOutcome>& outcomes);
/// One candidate as a map: what `thimble score --json` prints.
THIMBLE_EXPORT Value evaluation_document(const Evaluation& evaluation, const MetricNames& metrics);

/// Why it cannot be compared or is beyond the limits, and why proxies have no value of it.
THIMBLE_EXPORT std::string reasons_of(const Evaluation& evaluation, const MetricNames& own);

}  // namespace thimble
