#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/csv.hpp>
#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/experiment/report_settings.hpp>
#include <thimble/space/search_space.hpp>

namespace thimble {

struct Study;

/// Accuracies by architecture: published ones, from a CSV with a header (separated by commas,
/// semicolons or tabs), or a run's own. For reports alone: no searcher ever sees it. const is
/// thread safe.
class THIMBLE_EXPORT Benchmark {
 public:
  /// How an architecture stands among those that cost as much (equal MACs).
  struct Standing {
    double accuracy = 0;  ///< per cent
    int rank = 0;         ///< 1: the best of its class
    int class_size = 0;
    double class_best = 0;  ///< per cent
    double regret() const noexcept { return class_best - accuracy; }
  };

  /// Reads the file. Architectures are read by the space; those it cannot read, a missing column
  /// and what is no per cent are InputErrors with their place. Empty cells are skipped.
  Benchmark(const std::filesystem::path& file, const BenchmarkSettings& settings,
            const SearchSpace& space);

  /// What was trained in a run, as it is deployed: of the last stage, each network's mean over its
  /// seeds; a column for each of the data, in the order in which the studies name them. The studies
  /// outlive this.
  Benchmark(const std::vector<PointOutcome>& outcomes, const std::vector<Study>& studies);

  /// The columns of accuracies, the one for reports first.
  const std::vector<std::string>& columns() const noexcept { return columns_; }
  /// What tables call a column: "accuracy" for the first one, and "accuracy.NAME" for others. Where
  /// networks are trained on several data, none is the first: all are called by their names.
  std::string title(std::size_t column) const;
  bool has_a_first() const noexcept { return has_a_first_; }
  /// By the text that the space writes.
  std::optional<double> accuracy(const std::string& architecture, std::size_t column = 0) const;
  std::optional<Standing> standing(const std::string& architecture, std::size_t column = 0) const;
  std::size_t size() const noexcept { return accuracies_.size(); }
  /// What a person should look at: "FILE:LINE:COLUMN: ...".
  const std::vector<std::string>& remarks() const noexcept { return remarks_; }

 private:
  void add(const CsvCell& architecture, const std::vector<double>& accuracies);
  /// The highest accuracy. Refuses a column without accuracies, or of fractions.
  double most_of_column(std::size_t column, const Location& where) const;

  const SearchSpace& space_;
  std::vector<std::string> columns_;
  bool has_a_first_ = true;
  std::vector<std::string> remarks_;
  std::map<std::string, std::vector<double>> accuracies_;  ///< NaN where a cell is empty
  mutable std::once_flag classes_made_;
  /// By column and MACs, made when asked for.
  mutable std::vector<std::map<std::int64_t, std::vector<double>>> classes_;
};

/// The benchmark of a study, if it names one: a file as named, or in the data folder. A missing one
/// that is not required gives nothing and a remark; what is odd in one is remarked, too.
THIMBLE_EXPORT std::unique_ptr<Benchmark> load_benchmark(
    const Study& study, const std::filesystem::path& data_folder,
    const std::function<void(const std::string&)>& say);

}  // namespace thimble
