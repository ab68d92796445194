#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/experiment/report_settings.hpp>
#include <thimble/report/benchmark.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/report/tables.hpp>

namespace thimble {

/// The networks of one point that were scored, or found invalid; those that the benchmark knows,
/// where there is one.
struct Sample {
  /// A column of numbers, one a cell.
  struct Column {
    std::string name;
    Direction direction = Direction::maximize;
    std::vector<double> values;    ///< as published; NaN where there is none
    std::vector<bool> left_out{};  ///< nobody looked at this cell; empty: at all
  };
  std::vector<Column> metrics;
  std::vector<Column> accuracies;  ///< left out where unknown; of a network, one is known at least
  std::vector<std::int64_t> macs;

  std::size_t size() const noexcept { return macs.size(); }
};
THIMBLE_EXPORT Sample sample_of(const PointOutcome& outcome, const Benchmark* benchmark);

/// The cells that the column says something of, in their order.
THIMBLE_EXPORT std::vector<std::size_t> looked_at(const Sample::Column& column);

/// Those that both columns say something of.
THIMBLE_EXPORT std::vector<std::size_t> looked_at(const Sample::Column& a, const Sample::Column& b);

/// The column's values with the worst there is (infinite) where there is none: what has no value
/// ranks last, and is counted.
THIMBLE_EXPORT std::vector<double> with_worst(const Sample::Column& column);

/// How two columns agree over a part of the sample.
struct Agreement {
  std::string metric;
  std::string against;
  std::string subset;                 ///< all, equal_macs, top_decile
  std::size_t cells = 0;              ///< in the subset
  std::size_t invalid = 0;            ///< of these, without a value of the metric
  std::vector<std::int64_t> classes;  ///< MACs of the classes, for equal_macs
  Correlation correlation;            ///< with the values' own signs
  /// How much better the metric ranks than MACs do, over the same cells: tau, with the sign that
  /// makes good networks large, less that of MACs. NaN of MACs, and where one of both is.
  Estimate over_macs{kNotANumber, {kNotANumber, kNotANumber}};
};

/// What trusting a metric loses.
struct Regret {
  std::string metric;
  std::string against;
  std::int64_t k = 0;
  TopK top;
};

struct Analysis {
  std::vector<Agreement> accuracies;  ///< every metric with every accuracy, with intervals
  std::vector<Agreement> pairs;       ///< all metrics and accuracies with each other, without
  std::vector<Regret> regrets;
};
THIMBLE_EXPORT Analysis analyse(const Sample& sample, const AnalysisSettings& settings,
                                std::uint64_t seed);

/// One row for each agreement with an accuracy, for all points.
THIMBLE_EXPORT Table analysis_table(const std::vector<PointOutcome>& outcomes,
                                    const std::vector<Analysis>& analyses);
/// One row for each pair of metrics and accuracies.
THIMBLE_EXPORT Table agreement_table(const std::vector<PointOutcome>& outcomes,
                                     const std::vector<Analysis>& analyses);
THIMBLE_EXPORT Table regret_table(const std::vector<PointOutcome>& outcomes,
                                  const std::vector<Analysis>& analyses);
/// Processor time of a proxy's value.
THIMBLE_EXPORT Table timing_table(const std::vector<PointOutcome>& outcomes);
/// For report.md: one row for each row of the sweep, metric and accuracy.
THIMBLE_EXPORT Table analysis_summary(const std::vector<PointOutcome>& outcomes,
                                      const std::vector<Analysis>& analyses);

}  // namespace thimble
