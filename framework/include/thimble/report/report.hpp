#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/report/benchmark.hpp>
#include <thimble/search/searcher.hpp>
#include <thimble/search/selection.hpp>

namespace thimble {

/// What `select` found on a front; all are places in it.
struct Selection {
  std::vector<std::size_t> objectives;  ///< that counted, by place in the point's
  std::vector<std::size_t> chosen{};
  Landmarks landmarks{};  ///< in these objectives
  /// A decision that tells networks apart, by its place in genotypes.
  std::optional<std::size_t> by{};
  std::vector<std::string> options{};  ///< of that decision
};

/// What came of one point of a sweep.
struct PointOutcome {
  std::string row;
  std::vector<Assignment> assignments;
  std::uint64_t seed = 0;
  MetricNames metrics;
  std::vector<DirectedMetric> predictors;
  std::vector<Objective> objectives;
  std::vector<DirectedMetric> compared;  ///< in which fronts of several points are
  SearchResult result;
  std::optional<Selection> selection;
  std::vector<Evaluation> evaluated;  ///< every network looked at, in order, judged together
  std::int64_t scored = 0;            ///< candidates whose proxies were asked for
  double wall_seconds = 0;
  double proxy_seconds = 0;
  /// Everything a report can show, by column name (see docs/experiment-format.md).
  std::map<std::string, double> quantities;
};

/// Fills outcome.quantities from the rest. Durations are kept apart, by is_duration().
THIMBLE_EXPORT void measure(PointOutcome& outcome, const Benchmark* benchmark);
THIMBLE_EXPORT bool is_duration(const std::string& quantity);

/// Fills outcome.selection from the front. What does not go as the settings say is a remark.
THIMBLE_EXPORT void select(PointOutcome& outcome, const SelectSettings& settings);

/// Speed-ups against the baseline row's mean latency, for all points at once.
THIMBLE_EXPORT void add_speedups(std::vector<PointOutcome>& outcomes, const std::string& baseline);

/// Whether tables have a column of this name whatever metrics there are; then none can have it.
THIMBLE_EXPORT bool is_fixed_column(const std::string& name);

/// The columns that exist for this study, for defaults and for checking.
THIMBLE_EXPORT std::vector<std::string> known_columns(const Study& study);
THIMBLE_EXPORT std::vector<std::string> default_columns(const Study& study);

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
