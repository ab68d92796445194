#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <thimble/experiment/load.hpp>
#include <thimble/farm/farm.hpp>
#include <thimble/run/run.hpp>
#include <thimble/run/store.hpp>
#include <thimble/run/train_stage.hpp>

namespace thimble {

/// Has what a run will ask for computed by an engine before it asks: values come into its store,
/// trainings into their folders. So results are made by the one way there is, and are the same.
class Prefetch {
 public:
  Prefetch(const RunOptions& options, const LoadedExperiment& experiment,
           const std::filesystem::path& run, SqliteStore& store,
           std::function<void(const std::string&)> say);

  /// The searches of all points, unless their batches are to be computed.
  void points();
  /// Candidates of a point, or states of its supernet, if they would take long enough here.
  void batch(std::size_t point, std::vector<std::string> keys, double seconds_each,
             bool are_supernets);
  void trainings(const std::vector<OpenTraining>& open);

 private:
  bool is_known(const Study& study, const std::string& key, bool is_supernet);
  void compute(const std::vector<Part>& parts);

  const LoadedExperiment& experiment_;
  std::filesystem::path run_;
  SqliteStore& store_;
  std::optional<double> batch_minutes_;
  Farm farm_;
};

}  // namespace thimble
