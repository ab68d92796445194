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

/// Rows of text with a header.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

/// One row for each row of the sweep, mean and deviation over its points, then published rows.
THIMBLE_EXPORT Table report_table(const std::vector<PointOutcome>& outcomes,
                                  const std::vector<std::string>& columns,
                                  const ReportSettings& settings);
/// "92.31 ± 0.42", to as many places as are worth reading; "-" for nothing.
THIMBLE_EXPORT std::string mean_text(const std::vector<double>& values);
THIMBLE_EXPORT std::string to_markdown(const Table& table);
THIMBLE_EXPORT std::string to_csv(const Table& table);

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
/// Everything of result_table and the fronts, with origin and error of each cost.
THIMBLE_EXPORT Value result_document(const std::vector<PointOutcome>& outcomes);
THIMBLE_EXPORT Value timing_document(const std::vector<PointOutcome>& outcomes);
/// One candidate as a map: what `thimble score --json` prints.
THIMBLE_EXPORT Value evaluation_document(const Evaluation& evaluation, const MetricNames& metrics);

}  // namespace thimble
