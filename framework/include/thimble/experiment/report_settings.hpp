#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <thimble/core/params.hpp>

/// The sections of an experiment that are read when the search is over.
namespace thimble {

/// A table of published accuracies; only the report sees it.
struct BenchmarkSettings {
  std::string file;
  std::string accuracy;
  std::vector<std::string> also;
  std::string architecture;
  bool required = false;
  bool is_trained = false;  ///< no file: what was trained in the run

  template <class Describe>
  static void describe(Describe& param) {
    param(&BenchmarkSettings::file, "file", "CSV with a header, in the data folder or by full path")
        .required();
    param(&BenchmarkSettings::accuracy, "accuracy", "column with the accuracy in per cent")
        .required();
    param(&BenchmarkSettings::also, "also",
          "columns with more accuracies, for the analysis: of other data, or other trainings");
    param(&BenchmarkSettings::architecture, "architecture",
          "column with the architecture; found by its usual names when left out");
    param(&BenchmarkSettings::required, "required",
          "stop when the file is missing, instead of leaving accuracies out");
  }
};

/// What is computed of metrics and published accuracies.
struct AnalysisSettings {
  std::int64_t class_size = 10;
  std::vector<std::int64_t> top{1, 10};
  int resamples = 1000;
  double confidence = 0.95;
  bool figures = true;

  template <class Describe>
  static void describe(Describe& param) {
    param(&AnalysisSettings::class_size, "class_size",
          "least cells of equal MACs that are correlated among themselves")
        .at_least(2);
    param(&AnalysisSettings::top, "top", "how many of the highest ranked cells regret looks at")
        .range(1, 1'000'000);
    param(&AnalysisSettings::resamples, "resamples",
          "bootstrap resamples for confidence intervals; 0: none")
        .range(0, 100'000);
    param(&AnalysisSettings::confidence, "confidence", "of the intervals").range(0.5, 0.9999);
    param(&AnalysisSettings::figures, "figures", "draw pictures with gnuplot");
  }
};

/// The table at the end of a run: one row for each row of the sweep.
struct ReportSettings {
  std::vector<std::string> columns;
  std::string baseline;
  std::vector<Value> compare;
  std::vector<std::map<std::string, Value>> published;

  template <class Describe>
  static void describe(Describe& param) {
    param(&ReportSettings::columns, "columns", "quantities to show; a sensible choice by default");
    param(&ReportSettings::baseline, "baseline", "the row that speed-ups are against");
    param(&ReportSettings::compare, "compare",
          "metrics in which fronts are compared, as in 'of' of aggregates; each point's objectives "
          "by default");
    param(&ReportSettings::published, "published",
          "rows to set beside ours: {row: ..., column: value, ...}");
  }
};

}  // namespace thimble
