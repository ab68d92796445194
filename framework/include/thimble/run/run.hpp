#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/farm/engine.hpp>
#include <thimble/nn/propagation/device.hpp>
#include <thimble/plugin/loader.hpp>
#include <thimble/report/tables.hpp>

namespace thimble {

/// What `thimble run` is told.
struct RunOptions {
  std::filesystem::path experiment;
  std::vector<Assignment> overrides;
  std::filesystem::path output = "runs";
  std::filesystem::path data_folder = "data";
  int jobs = 1;
  Device device = {};  ///< of trainings
  bool resume = false;
  /// Who computes what the run asks for in processes of their own; none: this one.
  Engine* engine = nullptr;
  /// Instead of points' searches the engine gets those of their batches that would take longer
  /// here, in minutes of processor time.
  std::optional<double> batch_minutes{};
  /// Told of the run's folder and of the arrays that the engine was given; what it throws ends the
  /// run, which goes on with `resume`.
  std::function<void(const std::filesystem::path& run, const std::vector<std::string>& ids)>
      submitted = [](const std::filesystem::path&, const std::vector<std::string>&) {};
  Array worker;  ///< of `engine`: the program, options of `thimble work`, and the folder
  /// Lines for the person who waits.
  std::function<void(const std::string&)> say = [](const std::string&) {};
  /// Candidates scored of those expected in the point at hand (0: unknown), and the point.
  std::function<void(std::int64_t done, std::int64_t expected, std::size_t point,
                     std::size_t points)>
      progress = [](std::int64_t, std::int64_t, std::size_t, std::size_t) {};
  /// Epochs done of all trainings behind the search.
  std::function<void(std::int64_t done, std::int64_t all)> trained = [](std::int64_t,
                                                                        std::int64_t) {};
  /// Parts done of those that the engine has.
  std::function<void(std::int64_t done, std::int64_t all)> farmed = [](std::int64_t, std::int64_t) {
  };
};

struct RunOutcome {
  std::filesystem::path folder;
  std::vector<PointOutcome> points;
  Table report;
  std::string answers;               ///< what stands below the table, in Markdown
  std::vector<std::string> remarks;  ///< of the run, beside those of its points
};

/// Runs an experiment into a new folder output/name/time-identity, or with `resume` goes on in the
/// newest one of the same identity; scored candidates are taken from its store, so the result is
/// that of an unbroken run. Throws Interrupted when stopped; what was scored is kept.
THIMBLE_EXPORT RunOutcome run_experiment(const RunOptions& options, PluginLoader& loader);

}  // namespace thimble
