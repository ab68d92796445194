#include <thimble/run/run.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/report/analysis.hpp>
#include <thimble/report/figures.hpp>
#include <thimble/report/fronts.hpp>
#include <thimble/run/run_folder.hpp>
#include <thimble/run/store.hpp>

namespace thimble {
namespace {

/// Where numbers come from, as comments above a resolved experiment.
std::string provenance(const LoadedExperiment& experiment) {
  std::set<std::string> plugins;
  for (const Study& study : experiment.studies)
    plugins.insert(study.plugins.begin(), study.plugins.end());
  std::string text = fmt::format("# thimble {} ({})\n# identity {}\n# {} cores; {}\n",
                                 THIMBLE_VERSION, THIMBLE_REVISION, experiment.identity,
                                 std::thread::hardware_concurrency(), blas_name());
  for (const std::string& plugin : plugins) text += "# plugin " + plugin + "\n";
  return text;
}

void write_resolved(const std::filesystem::path& folder, const LoadedExperiment& experiment) {
  const std::string head = provenance(experiment);
  if (experiment.studies.size() == 1)
    return write_file(folder / "resolved.yaml", head + to_yaml(experiment.studies[0].resolved));
  std::filesystem::create_directories(folder / "resolved");
  for (std::size_t i = 0; i < experiment.studies.size(); ++i)
    write_file(folder / "resolved" / fmt::format("{:03}.yaml", i + 1),
               head + to_yaml(experiment.studies[i].resolved));
}

std::shared_ptr<spdlog::logger> open_log(const std::filesystem::path& folder) {
  auto logger = std::make_shared<spdlog::logger>(
      "run", std::make_shared<spdlog::sinks::basic_file_sink_mt>((folder / "log.txt").string()));
  logger->flush_on(spdlog::level::info);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %v");
  return logger;
}

/// Aggregates relative to everything the point looked at, in what it found as well.
void judge_together(PointOutcome& outcome, const Scoring& scoring) {
  scoring.judge_together(outcome.evaluated);
  std::map<std::string, const Evaluation*> judged;
  for (const Evaluation& evaluation : outcome.evaluated) judged[evaluation.text] = &evaluation;
  const auto take_over = [&](Evaluation& evaluation) {
    if (const auto found = judged.find(evaluation.text); found != judged.end())
      evaluation = *found->second;
  };
  if (outcome.result.best) take_over(*outcome.result.best);
  std::ranges::for_each(outcome.result.front, take_over);
}

/// Networks that exceed limits the least, where nobody keeps them, were looked at for their costs
/// alone: they are candidates, too.
void list_unscored(PointOutcome& outcome, const SearchSpace& space) {
  const auto list = [&](Evaluation& network) {
    if (!network.canonical.empty()) return;
    network.canonical = space.encode(space.canonical(network.genotype));
    if (std::ranges::find(outcome.evaluated, network.text, &Evaluation::text) ==
        outcome.evaluated.end())
      outcome.evaluated.push_back(network);
  };
  if (outcome.result.best) list(*outcome.result.best);
  for (Evaluation& network : outcome.result.front) list(network);
}

/// What has no value should not be found in a table only.
std::vector<std::string> missing_values(const PointOutcome& outcome) {
  std::vector<std::string> remarks;
  for (std::size_t i = 0; i < outcome.metrics.proxies.size(); ++i) {
    std::vector<const ProxyValue*> missing;
    std::size_t scored = 0;
    for (const Evaluation& evaluation : outcome.evaluated) {
      if (i >= evaluation.proxies.size()) continue;
      ++scored;
      if (!evaluation.proxies[i].invalid.empty()) missing.push_back(&evaluation.proxies[i]);
    }
    if (missing.empty()) continue;
    const bool is_left_out = std::ranges::any_of(missing, &ProxyValue::is_left_out);
    remarks.push_back(fmt::format("proxy '{}' has no value for {} of {} networks; the first: {}{}",
                                  outcome.metrics.proxies[i], missing.size(), scored,
                                  missing[0]->invalid,
                                  is_left_out ? "; the analysis leaves such networks out" : ""));
  }
  return remarks;
}

/// One point of the sweep, from its study to its outcome.
PointOutcome run_point(const Study& study, const SweepPoint& point, ScoringSetup setup,
                       const Benchmark* benchmark) {
  const auto start = std::chrono::steady_clock::now();
  Scoring scoring{std::move(setup)};
  const Problem problem = study.problem();
  PointOutcome outcome;
  try {
    outcome.result = study.searcher->search(problem, scoring);
  } catch (const Error&) {
    throw;  // it says what is wrong
  } catch (...) {
    throw Error{"the searcher failed: " + what_was_thrown(),
                "this is a fault of the plugin, not of the experiment"};
  }
  outcome.row = point.row;
  outcome.assignments = point.assignments;
  outcome.seed = study.seed;
  outcome.metrics = study.metric_names();
  outcome.predictors = study.predictors();
  outcome.objectives = study.objectives;
  outcome.compared = study.compared;
  outcome.evaluated = scoring.evaluated();
  list_unscored(outcome, *study.space);
  judge_together(outcome, scoring);
  if (study.select)
    outcome.selection = select(outcome.result.front, outcome.objectives, *study.select, study.seed,
                               outcome.result.remarks);
  if (outcome.selection && study.select_by) {
    outcome.selection->by = study.select_by;
    outcome.selection->options = problem.decisions[*study.select_by].options;
  }
  outcome.scored = scoring.scored();
  outcome.proxy_seconds = scoring.proxy_seconds();
  outcome.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  measure(outcome, benchmark);
  return outcome;
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
        store_{folder_.path() / "store.sqlite"} {}

  RunOutcome run() {
    log_->info("thimble {} runs {} (identity {}), {} values known", THIMBLE_VERSION,
               options_.experiment.string(), experiment_.identity, store_.size());
    RunOutcome outcome;
    outcome.folder = folder_.path();
    for (std::size_t i = 0; i < experiment_.studies.size(); ++i) {
      for (const std::string& remark : experiment_.studies[i].remarks) say_once(remark);
      outcome.points.push_back(
          run_point(experiment_.studies[i], experiment_.points[i], setup_for(i), benchmark_));
      log_->info("point {} of {} ({}): {}", i + 1, experiment_.studies.size(),
                 experiment_.points[i].row, best_text(outcome.points.back()));
      for (const std::string& remark : outcome.points.back().result.remarks) say_once(remark);
      for (const std::string& remark : missing_values(outcome.points.back())) say_once(remark);
    }
    finish(outcome);
    return outcome;
  }

  void note_interruption() { log_->info("interrupted; {} values known", store_.size()); }

 private:
  ScoringSetup setup_for(std::size_t point) {
    ScoringSetup setup = experiment_.studies[point].scoring();
    setup.jobs = options_.jobs;
    setup.store = &store_;
    setup.log = [this](const std::string& line) { log_->info(line); };
    setup.progress = [this, point](std::int64_t done, std::int64_t expected) {
      options_.progress(done, expected, point, experiment_.studies.size());
    };
    return setup;
  }

  static std::string best_text(const PointOutcome& outcome) {
    return outcome.result.best ? outcome.result.best->text : "nothing found";
  }

  void say(const std::string& line) {
    log_->info(line);
    options_.say(line);
  }

  void say_once(const std::string& line) {
    if (said_.insert(line).second) say(line);
  }

  void finish(RunOutcome& outcome) {
    const ReportSettings& report = experiment_.studies[0].report;
    const auto columns =
        report.columns.empty() ? default_columns(experiment_.studies[0]) : report.columns;
    add_speedups(outcome.points, report.baseline);
    compare_fronts(outcome.points, columns);
    outcome.report = report_table(outcome.points, columns, report);
    const auto& path = folder_.path();
    write_file(path / "report.md", to_markdown(outcome.report) + show_selection(outcome.points) +
                                       analyse_points(outcome.points));
    write_file(path / "candidates.csv", to_csv(candidate_table(outcome.points, benchmark_)));
    write_file(path / "result.csv", to_csv(result_table(outcome.points)));
    write_file(path / "timing.yaml", to_yaml(timing_document(outcome.points)));
    // Last: its presence says that the run is complete.
    write_file(path / "result.yaml", to_yaml(result_document(outcome.points)));
    log_->info("complete");
  }

  void draw_figures(const std::vector<Picture>& pictures) {
    if (!experiment_.studies[0].analysis.figures) return;
    for (const std::string& remark : draw(pictures, folder_.path() / "figures")) say_once(remark);
  }

  /// Where the report shows how much of a front each search found.
  void compare_fronts(std::vector<PointOutcome>& points, const std::vector<std::string>& columns) {
    const auto is_shown = [&](const char* column) {
      return std::ranges::find(columns, column) != columns.end();
    };
    if (!is_shown("hypervolume") && !is_shown("igd")) return;
    const auto progress = front_progress(points);
    add_fronts(points, progress);
    write_file(folder_.path() / "fronts.csv", to_csv(progress_table(points, progress)));
    draw_figures(progress_pictures(points, progress));
  }

  /// Writes what was selected of the fronts, if anything; returns what the report says of it.
  std::string show_selection(const std::vector<PointOutcome>& points) {
    const Table table = selection_table(points, benchmark_, Digits::all);
    if (table.rows.empty()) return "";
    write_file(folder_.path() / "selected.csv", to_csv(table));
    draw_figures(front_pictures(points));
    return "\n## Selected networks\n\n" +
           to_markdown(selection_table(points, benchmark_, Digits::few));
  }

  /// Writes the files of the analysis, if there is something to analyse: without a benchmark, how
  /// metrics agree with each other. Returns what the report says of it.
  std::string analyse_points(const std::vector<PointOutcome>& points) {
    write_file(folder_.path() / "timing.csv", to_csv(timing_table(points)));
    if (benchmark_ == nullptr && experiment_.studies[0].proxies.size() < 2) return "";
    std::vector<Sample> samples;
    std::vector<Analysis> analyses;
    for (std::size_t i = 0; i < points.size(); ++i) {
      stop_if_requested();
      const Study& study = experiment_.studies[i];
      samples.push_back(sample_of(points[i], benchmark_));
      analyses.push_back(analyse(samples.back(), study.analysis, study.seed));
      if (benchmark_ != nullptr && samples.back().size() < 2)
        say_once(fmt::format("the benchmark knows {} of the {} networks looked at: nothing to rank",
                             samples.back().size(), points[i].evaluated.size()));
    }
    const Table agreement = agreement_table(points, analyses);
    if (agreement.rows.empty()) return "";
    write_file(folder_.path() / "agreement.csv", to_csv(agreement));
    draw_figures(pictures_of(points, samples, analyses));
    const Table summary = analysis_summary(points, analyses);
    if (summary.rows.empty()) return "";
    write_file(folder_.path() / "analysis.csv", to_csv(analysis_table(points, analyses)));
    write_file(folder_.path() / "regret.csv", to_csv(regret_table(points, analyses)));
    return "\n## How metrics rank by accuracy\n\n" + to_markdown(summary);
  }

  const RunOptions& options_;
  const LoadedExperiment& experiment_;
  const Benchmark* benchmark_;
  RunFolder folder_;
  std::shared_ptr<spdlog::logger> log_;
  SqliteStore store_;
  std::set<std::string> said_;
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
  // Before there is a folder: the file may be wrong.
  const auto benchmark = load_benchmark(experiment.studies[0], options.data_folder, options.say);
  const auto parent = options.output / experiment.studies[0].name;
  RunFolder folder = options.resume ? RunFolder::resume(parent, experiment.identity, options.say)
                                    : RunFolder::create(parent, experiment.identity);
  write_file(folder.path() / "experiment.yaml", experiment.text);
  write_resolved(folder.path(), experiment);
  Runner runner{options, experiment, benchmark.get(), std::move(folder)};
  try {
    return runner.run();
  } catch (const Interrupted&) {
    runner.note_interruption();
    throw;
  }
}

}  // namespace thimble
