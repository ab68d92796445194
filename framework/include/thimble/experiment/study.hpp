#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/experiment/sweep.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/plugin/loader.hpp>
#include <thimble/search/scoring.hpp>
#include <thimble/search/searcher.hpp>
#include <thimble/search/selection.hpp>

namespace thimble {

/// A table of published accuracies; only the report sees it.
struct BenchmarkSettings {
  std::string file;
  std::string accuracy;
  std::vector<std::string> also;
  std::string architecture;
  bool required = false;

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

/// The few networks of a front that a person looks at.
struct SelectSettings {
  std::int64_t k = 5;
  SelectionMethod method = SelectionMethod::automatic;
  std::vector<std::string> objectives{};
  std::string by{};

  template <class Describe>
  static void describe(Describe& param) {
    param(&SelectSettings::k, "k", "networks to select from the front").range(1, 1000);
    param(&SelectSettings::method, "method",
          "how the subset of greatest hypervolume is looked for");
    param(&SelectSettings::objectives, "objectives",
          "objectives whose hypervolume counts; all by default");
    param(&SelectSettings::by, "by",
          "a decision between options that pictures of the front tell apart by colour");
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

/// One experiment with everything it names checked, loaded and made: a point of a sweep.
struct Study {
  struct NamedProxy {
    std::string name;
    std::unique_ptr<Proxy> proxy;
    const SearchSpace* space = nullptr;  ///< the network it looks at
    std::string key;
  };

  std::string name;
  std::string row;
  std::uint64_t seed = 0;
  std::unique_ptr<SearchSpace> space;
  std::map<std::string, std::unique_ptr<SearchSpace>> nets;  ///< by resolved parameters
  std::unique_ptr<Hardware> hardware;
  std::unique_ptr<Dataset> dataset;
  std::unique_ptr<Searcher> searcher;
  std::vector<NamedProxy> proxies;
  std::vector<Aggregate> aggregates;
  std::vector<Objective> objectives;
  std::vector<DirectedMetric> compared;  ///< in which fronts are compared with other points'
  std::vector<Limit> limits;
  Budget budget;
  std::optional<SelectSettings> select;
  std::optional<std::size_t> select_by;  ///< its decision, by place in the space's
  std::int64_t most_bytes = 0;           ///< that one candidate's tensors may take
  std::optional<BenchmarkSettings> benchmark;
  Location benchmark_where;
  AnalysisSettings analysis;
  ReportSettings report;
  std::vector<std::string> remarks;  ///< what a person should know before it runs
  std::vector<std::string> plugins;  ///< "kind name version" of each in use
  Value resolved;                    ///< every key with the value in force; an experiment again

  THIMBLE_EXPORT Problem problem() const;
  THIMBLE_EXPORT ScoringSetup scoring() const;
  THIMBLE_EXPORT MetricNames metric_names() const;
  /// What is compared with accuracies and with each other: proxies, aggregates, and as controls
  /// MACs and parameters, of which more is better here.
  THIMBLE_EXPORT std::vector<DirectedMetric> predictors() const;
};

/// Checks an experiment and makes its plugins. Everything wrong with it goes to `problems` with
/// its place; then the result is not to be used.
THIMBLE_EXPORT Study make_study(const SweepPoint& point, PluginLoader& loader,
                                Diagnostics& problems);

/// The experiment's keys, for documentation.
THIMBLE_EXPORT Schema experiment_schema();

}  // namespace thimble
