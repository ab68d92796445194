#include <thimble/run/result_files.hpp>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/report/analysis.hpp>
#include <thimble/report/analysis_pictures.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/report/course.hpp>
#include <thimble/report/documents.hpp>
#include <thimble/report/front_pictures.hpp>
#include <thimble/report/fronts.hpp>
#include <thimble/report/quantities.hpp>
#include <thimble/report/result_tables.hpp>
#include <thimble/report/training_tables.hpp>

namespace thimble {
namespace {

std::string training_name(std::size_t network, const std::string& dataset, std::uint64_t seed) {
  return dataset.empty() ? fmt::format("{}-{}", network, seed)
                         : fmt::format("{}-{}-{}", network, dataset, seed);
}

/// Behind the table of how metrics rank.
constexpr const char* kRankingLegend =
    "\n- tau: Kendall's tau-b with accuracy, and its interval (95 %, bootstrap over networks; of "
    "several points the deviation, and the intervals in analysis.csv); below 0 where less of a "
    "metric is better\n"
    "- better than MACs: how much larger tau is, that sign aside, than that of MACs over the same "
    "networks, paired: an interval above 0 says that the metric ranks better (over several points: "
    "the means of their ends, which do not narrow with more)\n"
    "- n: networks; invalid: of these, without a value, which rank last\n"
    "- equal MACs: among networks that have the same, where some have (analysis.class_size)\n"
    "- regret of k: points of accuracy that the best of the k highest ranked lacks\n"
    "- behind ±: deviation over points\n";

class Writer {
 public:
  Writer(const std::filesystem::path& folder, const LoadedExperiment& experiment,
         const Benchmark* benchmark, const Say& say)
      : folder_{folder}, experiment_{experiment}, benchmark_{benchmark}, say_{say} {}

  /// What the report says below its table.
  struct Details {
    std::string answers;  ///< which the terminal has, too
    std::string trainings;
  };

  Details write_details(const std::vector<PointOutcome>& points) {
    show_courses(points);
    Details details;
    details.answers = show_selection(points) + show_choice(points);
    details.trainings = show_trainings(points);
    details.answers += analyse_points(points);
    return details;
  }

  void compare(std::vector<PointOutcome>& points, const std::vector<std::string>& columns) {
    add_speedups(points, experiment_.studies[0].report.baseline);
    compare_fronts(points, columns);
  }

 private:
  void draw_figures(const std::vector<Picture>& pictures) {
    if (!experiment_.studies[0].analysis.figures) return;
    for (const std::string& remark : draw(pictures, folder_ / "figures")) say_(remark);
  }

  /// How searches went, if they tell.
  void show_courses(const std::vector<PointOutcome>& points) {
    const Table table = course_table(points);
    if (table.rows.empty()) return;
    write_file(folder_ / "course.csv", to_csv(table));
    draw_figures(course_pictures(points));
  }

  /// Where the report shows how much of a front each search found.
  void compare_fronts(std::vector<PointOutcome>& points, const std::vector<std::string>& columns) {
    const auto is_shown = [&](const char* column) {
      return std::ranges::find(columns, column) != columns.end();
    };
    if (!is_shown("hypervolume") && !is_shown("igd")) return;
    const auto progress = front_progress(points);
    add_fronts(points, progress);
    write_file(folder_ / "fronts.csv", to_csv(progress_table(points, progress)));
    draw_figures(progress_pictures(points, progress));
  }

  /// Writes what was selected of the fronts, if anything; returns what the report says of it.
  std::string show_selection(const std::vector<PointOutcome>& points) {
    const Table table = selection_table(points, benchmark_, Digits::all);
    if (table.rows.empty()) return "";
    write_file(folder_ / "selected.csv", to_csv(table));
    draw_figures(front_pictures(points));
    return "\n## Selected networks, and what stands out on the front\n\n" +
           to_markdown(selection_table(points, benchmark_, Digits::few));
  }

  static std::string show_choice(const std::vector<PointOutcome>& points) {
    const std::string text = choice_text(points);
    return text.empty() ? "" : "\n## Which network to take\n\n" + text;
  }

  /// Writes what was trained, if anything: numbers, and the weights themselves.
  std::string show_trainings(const std::vector<PointOutcome>& points) {
    const Table table = trained_table(points);
    say_what_leaves(points);
    for (const char* const name : {"trained.csv", "history.csv", "weights", "tensorboard"})
      std::filesystem::remove_all(folder_ / name);  // of a run that this one goes on with
    if (table.rows.empty()) return "";
    for (const PointOutcome& point : points)
      for (const TrainedRow& row : point.trained)
        if (!row.weights.empty()) write_training(point, row);
    write_file(folder_ / "trained.csv", to_csv(table));
    write_file(folder_ / "history.csv", to_csv(history_table(points)));
    draw_figures(training_pictures(points));
    const Table overview = training_overview(points);
    return "\n## Trained networks\n\n" +
           (overview.rows.empty() ? "" : to_markdown(overview) + "\n") +
           to_markdown(training_summary(points));
  }

  /// A run that goes on may have another list of networks, data or seeds.
  void say_what_leaves(const std::vector<PointOutcome>& points) {
    std::set<std::filesystem::path> stay;
    for (const PointOutcome& point : points)
      for (const TrainedRow& row : point.trained)
        stay.insert(weights_file(number_of(point, row.network.text), row.dataset, row.seed));
    std::vector<std::string> leave;
    std::error_code none;  // no folder: nothing was trained before
    for (const auto& file : std::filesystem::directory_iterator{folder_ / "weights", none})
      if (!stay.contains(std::filesystem::path{"weights"} / file.path().filename()))
        leave.push_back(file.path().stem().string());
    if (leave.empty()) return;
    std::ranges::sort(leave);
    say_(fmt::format(
        "{} that the run had before {} not asked for any more: {} leave its folder, and "
        "'trainings' beside it keeps them",
        count_text(std::ssize(leave), "training"), leave.size() == 1 ? "is" : "are", join(leave)));
  }

  void write_training(const PointOutcome& point, const TrainedRow& row) {
    const std::size_t number = number_of(point, row.network.text);
    make_folder(folder_ / "weights");
    write_file(folder_ / weights_file(number, row.dataset, row.seed), read_file(row.weights));
    const auto events = folder_ / "tensorboard" / training_name(number, row.dataset, row.seed);
    make_folder(events);
    write_file(events / "events.out.tfevents.0.thimble",
               training_events(row, point.trained_metrics.front()).bytes());
  }

  /// Writes the files of the analysis, if there is something to analyse: without a benchmark, how
  /// metrics agree with each other. Returns what the report says of it.
  std::string analyse_points(const std::vector<PointOutcome>& points) {
    write_file(folder_ / "timing.csv", to_csv(timing_table(points)));
    if (benchmark_ == nullptr && experiment_.studies[0].proxies.size() < 2) return "";
    std::vector<Sample> samples;
    std::vector<Analysis> analyses;
    for (std::size_t i = 0; i < points.size(); ++i) {
      stop_if_requested();
      const Study& study = experiment_.studies[i];
      samples.push_back(sample_of(points[i], benchmark_));
      analyses.push_back(analyse(samples.back(), study.analysis, study.seed));
      if (benchmark_ != nullptr && samples.back().size() < 2 && points[i].evaluated.size() > 1)
        say_(fmt::format("the benchmark knows {} of the {} networks looked at: nothing to rank",
                         samples.back().size(), points[i].evaluated.size()));
    }
    const Table agreement = agreement_table(points, analyses);
    if (agreement.rows.empty()) return "";
    write_file(folder_ / "agreement.csv", to_csv(agreement));
    draw_figures(analysis_pictures(points, samples, analyses));
    const Table summary = analysis_summary(points, analyses);
    if (summary.rows.empty()) return "";
    write_file(folder_ / "analysis.csv", to_csv(analysis_table(points, analyses)));
    write_file(folder_ / "regret.csv", to_csv(regret_table(points, analyses)));
    return "\n## How metrics rank by accuracy\n\n" + to_markdown(summary) + kRankingLegend;
  }

  const std::filesystem::path& folder_;
  const LoadedExperiment& experiment_;
  const Benchmark* benchmark_;
  const Say& say_;
};

std::string list_of(const std::vector<std::string>& remarks) {
  if (remarks.empty()) return "";
  std::string text = "\n## Remarks\n\n";
  for (const std::string& remark : remarks) text += "- " + remark + "\n";
  return text;
}

}  // namespace

std::filesystem::path weights_file(std::size_t network, const std::string& dataset,
                                   std::uint64_t seed) {
  return std::filesystem::path{"weights"} /
         (training_name(network, dataset, seed) + ".safetensors");
}

void write_results(RunOutcome& outcome, const LoadedExperiment& experiment,
                   const Benchmark* benchmark, const std::vector<std::string>& remarks,
                   const Say& say) {
  auto& [path, points, report, answers, own_remarks] = outcome;
  const Study& study = experiment.studies[0];
  const auto columns = study.report.columns.empty() ? default_columns(study) : study.report.columns;
  Writer writer{path, experiment, benchmark, say};
  writer.compare(points, columns);
  report = report_table(points, columns, study.report);
  const auto details = writer.write_details(points);  // which may be remarked on, too
  const std::string legend = legend_text(points, columns);
  answers = (legend.empty() ? "" : "\n" + legend) + details.answers;
  if (const std::string mixed = mixed_runtimes(points); !mixed.empty()) say(mixed);
  write_file(path / "report.md", to_markdown(report) + (legend.empty() ? "" : "\n" + legend) +
                                     list_of(remarks) + details.answers + details.trainings);
  write_file(path / "candidates.csv", to_csv(candidate_table(points, benchmark)));
  write_file(path / "result.csv", to_csv(result_table(points)));
  write_file(path / "timing.yaml", to_yaml(timing_document(points)));
  // Last: its presence says that the run is complete.
  write_file(path / kResultFile, to_yaml(result_document(points, own_remarks)));
}

}  // namespace thimble
