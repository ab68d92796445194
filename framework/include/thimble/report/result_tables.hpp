#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/experiment/report_settings.hpp>
#include <thimble/report/benchmark.hpp>
#include <thimble/report/tables.hpp>

namespace thimble {

/// One row for each row of the sweep, mean and deviation over its points, then published rows. A
/// row is marked where the network of a point is beyond the limits.
THIMBLE_EXPORT Table report_table(const std::vector<PointOutcome>& outcomes,
                                  const std::vector<std::string>& columns,
                                  const ReportSettings& settings);
/// One row for each point; no durations, so that equal runs give equal files.
THIMBLE_EXPORT Table result_table(const std::vector<PointOutcome>& outcomes);
/// One row for each network looked at.
THIMBLE_EXPORT Table candidate_table(const std::vector<PointOutcome>& outcomes,
                                     const Benchmark* benchmark);
/// How numbers are written: to read them back, or as people read them.
enum class Digits { all, few };
/// One row for each network that was selected or stands out on its front.
THIMBLE_EXPORT Table selection_table(const std::vector<PointOutcome>& outcomes,
                                     const Benchmark* benchmark, Digits digits);

}  // namespace thimble
