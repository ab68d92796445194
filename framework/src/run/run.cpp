#include <thimble/run/run.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <ranges>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/nn/arithmetic.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/page/run_page.hpp>
#include <thimble/report/benchmark.hpp>
#include <thimble/report/quantities.hpp>
#include <thimble/run/recorded_network.hpp>
#include <thimble/run/result_files.hpp>
#include <thimble/run/run_folder.hpp>
#include <thimble/run/run_point.hpp>
#include <thimble/run/store.hpp>
#include <thimble/run/train_stage.hpp>

#include "prefetch.hpp"

namespace thimble {
namespace {

bool trains(const LoadedExperiment& experiment) {
  return std::ranges::any_of(experiment.studies,
                             [](const Study& study) { return study.train.has_value(); });
}

/// What a reader of trained numbers should know of the device, which also may have been another
/// one when the run's folder was written before.
std::vector<std::string> remarks_on_device(const LoadedExperiment& experiment, const Device& device,
                                           const RunFolder& folder) {
  if (!trains(experiment)) return {};
  std::vector<std::string> remarks;
  if (!device.is_cpu())
    remarks.push_back(fmt::format("networks are trained on device {} (docs/libtorch.md)",
                                  in_quotes(device.name)));
  const std::string before = recorded_device(folder.path());
  if (!before.empty() && before != device.name)
    remarks.push_back(fmt::format(
        "the run trained on device '{}' before: its tables and weights now become those "
        "of '{}' (the others are kept; --device {} shows them again)",
        before, device.name, before));
  return remarks;
}

/// Where numbers come from, as comments above a resolved experiment.
std::string provenance(const LoadedExperiment& experiment, const Device& device) {
  std::set<std::string> plugins;
  for (const Study& study : experiment.studies)
    plugins.insert(study.plugins.begin(), study.plugins.end());
  std::string text =
      fmt::format("# thimble {} ({})\n# identity {}\n# {} cores; {}\n{}{}\n", THIMBLE_VERSION,
                  THIMBLE_REVISION, experiment.identity, std::thread::hardware_concurrency(),
                  blas_name(), kArithmeticLine, own_arithmetic().text());
  if (trains(experiment)) text += kDeviceLine + device.name + "\n";
  for (const std::string& plugin : plugins) text += "# plugin " + plugin + "\n";
  return text;
}

void write_resolved(const std::filesystem::path& folder, const LoadedExperiment& experiment,
                    const Device& device) {
  const std::string head = provenance(experiment, device);
  if (experiment.studies.size() == 1)
    return write_file(folder / "resolved.yaml", head + to_yaml(experiment.studies[0].resolved));
  make_folder(folder / "resolved");
  for (std::size_t i = 0; i < experiment.studies.size(); ++i)
    write_file(folder / "resolved" / fmt::format("{:03}.yaml", i + 1),
               head + to_yaml(experiment.studies[i].resolved));
}

/// Values of two kinds in one run would be told apart by nobody.
void refuse_other_arithmetic(const std::filesystem::path& folder) {
  const std::string difference = difference_from_own_arithmetic(recorded_arithmetic(folder));
  if (difference.empty()) return;
  throw InputError{Diagnostic{
      {folder.string()},
      "the run was computed with other arithmetic than this process has: " + difference,
      "go on where it began, with the same thimble and --arithmetic, or begin anew without "
      "--resume"}};
}

/// What cannot be logged ends the run, as what cannot be stored does.
std::shared_ptr<spdlog::logger> open_log(const std::filesystem::path& folder) {
  const std::string file = (folder / "log.txt").string();
  auto logger = std::make_shared<spdlog::logger>(
      "run", std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
  logger->set_error_handler([file](const std::string&) {
    throw Error{fmt::format("cannot write '{}': {}", file, std::strerror(errno))};
  });
  logger->flush_on(spdlog::level::info);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %v");
  return logger;
}

/// All points of one run, in order, into its folder.
class Runner {
 public:
  Runner(const RunOptions& options, const LoadedExperiment& experiment, const Benchmark* benchmark,
         RunFolder folder)
      : options_{options},
        experiment_{experiment},
        benchmark_{benchmark},
        folder_{std::move(folder)},
        log_{open_log(folder_.path())},
        store_{folder_.path() / "store.sqlite"} {
    if (options.engine != nullptr)
      prefetch_.emplace(options, experiment, folder_.path(), store_,
                        [this](const std::string& line) { remark(line); });
  }

  /// `before` was remarked before there was a folder.
  RunOutcome run(const std::vector<std::string>& before) {
    folder_.keep();
    log_->info("thimble {} runs {} (identity {}), {} values known", THIMBLE_VERSION,
               options_.experiment.string(), experiment_.identity, store_.size());
    RunOutcome outcome;
    outcome.folder = folder_.path();
    const auto remark_all = [&](const std::vector<std::string>& lines) {
      for (const std::string& line : lines) remark_on_run(outcome, line);
    };
    remark_all(before);
    if (!folder_.is_new()) store_.merge(Shards{folder_.path()}.new_values());
    if (prefetch_) prefetch_->points();
    for (std::size_t i = 0; i < experiment_.studies.size(); ++i) {
      remark_all(experiment_.studies[i].remarks);
      outcome.points.push_back(
          run_point(experiment_.studies[i], experiment_.points[i], setup_for(i)));
      log_->info("point {} of {} ({}): {}", i + 1, experiment_.studies.size(),
                 experiment_.points[i].row, best_text(outcome.points.back()));
      for (const std::string& line : outcome.points.back().result.remarks) remark(line);
      remark_all(missing_values(outcome.points.back()));
    }
    number_networks(outcome.points, experiment_);
    train_networks(outcome.points, experiment_, train_stage(outcome));
    const auto trained = benchmark_of_trained(outcome.points);
    const Benchmark* const benchmark = trained ? trained.get() : benchmark_;
    if (trained) remark_on_untrained(outcome);
    for (PointOutcome& point : outcome.points) measure(point, benchmark);
    write_results(outcome, experiment_, benchmark, remarks_,
                  [this](const std::string& line) { remark(line); });
    show_page();
    log_->info("complete");
    return outcome;
  }

  void note_interruption() { log_->info("interrupted; {} values known", store_.size()); }

  /// A run that failed before it scored or learned anything leaves nothing behind, unless it went
  /// on with one.
  void discard_if_empty() {
    const auto has_learned = [this](std::size_t point) {
      return std::filesystem::exists(kept_search(folder_.path(), point));
    };
    if (folder_.is_new() && store_.size() == 0 &&
        std::ranges::none_of(std::views::iota(std::size_t{0}, experiment_.studies.size()),
                             has_learned) &&
        !std::filesystem::exists(folder_.path() / kResultFile) &&
        submitted_arrays(folder_.path()).empty())
      folder_.discard();
  }

 private:
  ScoringSetup setup_for(std::size_t point) {
    ScoringSetup setup = experiment_.studies[point].scoring();
    setup.jobs = options_.jobs;
    setup.store = &store_;
    setup.kept_search = kept_search(folder_.path(), point);
    setup.found_weights = found_weights(folder_.path(), point);
    setup.log = [this](const std::string& line) { log_->info(line); };
    if (prefetch_ && options_.batch_minutes)
      setup.prefetch = [this, point](const std::vector<std::string>& keys, double seconds_each,
                                     bool are_supernets) {
        prefetch_->batch(point, keys, seconds_each, are_supernets);
      };
    setup.progress = [this, point](std::int64_t done, std::int64_t expected) {
      options_.progress(done, expected, point, experiment_.studies.size());
    };
    return setup;
  }

  /// Where they take the place of published accuracies; else nothing.
  std::unique_ptr<Benchmark> benchmark_of_trained(const std::vector<PointOutcome>& points) const {
    const Study& study = experiment_.studies[0];
    if (!study.benchmark || !study.benchmark->is_trained) return nullptr;
    auto trained = std::make_unique<Benchmark>(points, experiment_.studies);
    return trained->size() > 0 ? std::move(trained) : nullptr;
  }

  /// What is selected need not have the result among it.
  void remark_on_untrained(RunOutcome& outcome) {
    for (const PointOutcome& point : outcome.points) {
      if (!point.result.best) continue;
      const std::string& best = point.result.best->text;
      const bool is_trained = std::ranges::any_of(
          point.trained, [&](const TrainedRow& row) { return row.network.text == best; });
      if (!is_trained)
        remark_on_run(
            outcome,
            fmt::format("network {}, the result, was not trained, so its row has no accuracy",
                        number_of(point, best)));
    }
  }

  TrainStage train_stage(RunOutcome& outcome) {
    TrainStage stage;
    stage.trainings = options_.output / "trainings";
    stage.found_weights = [this](std::size_t point) {
      return found_weights(folder_.path(), point);
    };
    stage.jobs = options_.jobs;
    stage.device = options_.device;
    stage.say = [this, &outcome](const std::string& line) { remark_on_run(outcome, line); };
    stage.progress = options_.trained;
    if (prefetch_)
      stage.prefetch = [this](const std::vector<OpenTraining>& open) {
        prefetch_->trainings(open);
      };
    return stage;
  }

  /// All that it shows lies in files already, so a run is not lost with it.
  void show_page() {
    try {
      write_page(folder_.path(), experiment_.studies);
    } catch (const Error& error) {
      remark(fmt::format("there is no {}: {}", kPageFile, error.diagnostics().front().message));
    }
  }

  static std::string best_text(const PointOutcome& outcome) {
    return outcome.result.best ? outcome.result.best->text : "nothing found";
  }

  /// What stands with the results of all points.
  void remark_on_run(RunOutcome& outcome, const std::string& line) {
    if (remark(line)) outcome.remarks.push_back(line);
  }

  /// False when it was said before.
  bool remark(const std::string& line) {
    if (std::ranges::find(remarks_, line) != remarks_.end()) return false;
    remarks_.push_back(line);
    log_->info(line);
    options_.say(line);
    return true;
  }

  const RunOptions& options_;
  const LoadedExperiment& experiment_;
  const Benchmark* benchmark_;
  RunFolder folder_;
  std::shared_ptr<spdlog::logger> log_;
  SqliteStore store_;
  std::optional<Prefetch> prefetch_;  ///< where an engine computes
  std::vector<std::string> remarks_;  ///< in the order in which they were made
};

}  // namespace

RunOutcome run_experiment(const RunOptions& options, PluginLoader& loader) {
  use_single_threaded_math();
  const LoadedExperiment experiment =
      load_experiment(options.experiment, options.overrides, loader);
  for (const Study& study : experiment.studies)
    if (study.searcher == nullptr)
      throw InputError{Diagnostic{{options.experiment.string()},
                                  "the experiment has no 'searcher'",
                                  "add searcher: {use: NAME} to run it"}};
  // Before there is a folder: the files may be wrong.
  require_starts(experiment);
  std::vector<std::string> remarks;
  const auto benchmark = load_benchmark(experiment.studies[0], options.data_folder,
                                        [&](const std::string& line) { remarks.push_back(line); });
  const auto parent = options.output / experiment.studies[0].name;
  RunFolder folder = options.resume ? RunFolder::resume(parent, experiment.identity, options.say)
                                    : RunFolder::create(parent, experiment.identity);
  if (!folder.is_new()) refuse_other_arithmetic(folder.path());
  for (std::string& line : remarks_on_device(experiment, options.device, folder))
    remarks.push_back(std::move(line));
  write_file(folder.path() / "experiment.yaml", experiment.text);
  write_resolved(folder.path(), experiment, options.device);
  Runner runner{options, experiment, benchmark.get(), std::move(folder)};
  try {
    return runner.run(remarks);
  } catch (const Interrupted&) {
    runner.note_interruption();
    throw;
  } catch (...) {
    runner.discard_if_empty();
    throw;
  }
}

}  // namespace thimble
