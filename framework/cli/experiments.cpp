#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <span>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/page/run_page.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/report/benchmark.hpp>
#include <thimble/report/documents.hpp>
#include <thimble/report/training_tables.hpp>
#include <thimble/run/recorded_network.hpp>

#include "chosen_engine.hpp"
#include "cli.hpp"
#include "progress.hpp"

namespace thimble::cli {
namespace {

nlohmann::ordered_json json_of(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return nullptr;
    case Value::Kind::sequence: {
      auto list = nlohmann::ordered_json::array();
      for (const Value& item : value.items()) list.push_back(json_of(item));
      return list;
    }
    case Value::Kind::map: {
      auto map = nlohmann::ordered_json::object();
      for (const auto& entry : value.entries()) map[entry.key] = json_of(entry.value);
      return map;
    }
    case Value::Kind::scalar: break;
  }
  if (!value.is_quoted()) {
    if (value.text() == "true" || value.text() == "false") return value.text() == "true";
    if (const auto whole = parse_integer(value.text())) return *whole;
    if (const auto number = parse_number(value.text())) return *number;
  }
  return value.text();
}

/// The cost as plain numbers, as scripts want them, with error, origin and runtime beside them,
/// called as columns are.
Value plain_costs(Value document, const std::string& runtime) {
  Value* const cost = document.find("cost");
  Value plain = Value::map();
  for (const auto& entry : cost->entries()) {
    plain.set(entry.key, *entry.value.find("value"));
    plain.set(entry.key + kErrorColumns[0], *entry.value.find("relative_error"));
    plain.set(entry.key + kErrorColumns[1], *entry.value.find("origin"));
  }
  if (!cost->entries().empty()) plain.set("runtime", Value::scalar(runtime, true));
  *cost = std::move(plain);
  return document;
}

std::string best_lines(const RunOutcome& outcome) {
  std::string text;
  for (const PointOutcome& point : outcome.points) {
    if (!point.result.best) continue;
    text += fmt::format("{}{}{}\n", point.row,
                        point.row.empty() ? "" : fmt::format(" (seed {}): ", point.seed),
                        point.result.best->text);
  }
  return text;
}

/// What is to be scored, and as which experiment would.
struct Asked {
  std::filesystem::path experiment;
  std::vector<std::string> archs;
};

Asked asked_of(const ScoreArguments& arguments) {
  if (arguments.network) {
    RecordedNetwork network =
        find_network(arguments.experiment, static_cast<std::size_t>(*arguments.network));
    return {std::move(network.experiment), {std::move(network.arch)}};
  }
  std::vector<std::string> archs = arguments.archs;
  if (!arguments.archs_file.empty())
    for (const Line& line : lines_of(arguments.archs_file)) archs.push_back(line.text);
  if (archs.empty())
    throw InputError{"no architecture to score",
                     "give --arch TEXT, or --archs FILE, or --network N with a run's folder"};
  return {arguments.experiment, std::move(archs)};
}

/// In blocks, so that who interrupts a long list keeps what is done. What is missing at the end was
/// interrupted.
std::vector<Evaluation> evaluate_in_blocks(std::span<const Genotype> genotypes, Scoring& scoring,
                                           int jobs) {
  const std::size_t block = std::size_t{16} * static_cast<std::size_t>(jobs);
  std::vector<Evaluation> known;
  try {
    while (known.size() < genotypes.size()) {
      const auto rest = genotypes.subspan(known.size());
      for (Evaluation& evaluation : scoring.evaluate(rest.first(std::min(block, rest.size()))))
        known.push_back(std::move(evaluation));
    }
  } catch (const Interrupted&) {
    if (known.empty()) throw;
  }
  scoring.judge_together(known);  // aggregates are relative to all of them
  return known;
}

/// Unreadable architectures become invalid evaluations: one bad line does not cost the others. As
/// many as were scored, from the first on, when somebody interrupts.
std::vector<Evaluation> evaluate_texts(const std::vector<std::string>& texts, const Study& study,
                                       Scoring& scoring, int jobs) {
  std::vector<Evaluation> evaluations(texts.size());
  std::vector<Genotype> readable;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    try {
      readable.push_back(study.space->decode(texts[i]));
      places.push_back(i);
    } catch (const Error& error) {
      evaluations[i].text = texts[i];
      const Diagnostic& problem = error.diagnostics().front();
      evaluations[i].invalid =
          problem.message + (problem.note.empty() ? "" : " (" + problem.note + ")");
    }
  }
  auto known = evaluate_in_blocks(readable, scoring, jobs);
  for (std::size_t i = 0; i < known.size(); ++i) evaluations[places[i]] = std::move(known[i]);
  if (known.size() < places.size()) evaluations.resize(places[known.size()]);
  return evaluations;
}

void print_evaluation(const Evaluation& evaluation, const Study& study) {
  fmt::print("{}\n", evaluation.text);
  if (!evaluation.is_valid()) fmt::print("  invalid: {}\n", evaluation.invalid);
  if (evaluation.macs > 0) fmt::print("  macs {}  params {}\n", evaluation.macs, evaluation.params);
  if (evaluation.has_cost) {
    const Cost& cost = evaluation.cost;
    fmt::print("  latency {:.2f} ms ({})  ram {:.1f} KiB ({})  rom {:.1f} KiB ({})",
               cost.latency_ms.value, error_text({cost.latency_ms}), cost.ram_bytes.value / 1024,
               error_text({cost.ram_bytes}), cost.rom_bytes.value / 1024,
               error_text({cost.rom_bytes}));
    if (std::isfinite(cost.energy_mj.value))
      fmt::print("  energy {:.3f} mJ ({})", cost.energy_mj.value, error_text({cost.energy_mj}));
    fmt::print("\n  on {}\n", provenance_text(study.hardware->target(), cost.latency_ms));
  }
  if (!evaluation.excess.empty()) fmt::print("  beyond the limits: {}\n", evaluation.excess);
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i) {
    const auto& [value, repeats, seconds, invalid, is_left_out] = evaluation.proxies[i];
    fmt::print("  {} {}\n", study.proxies[i].name,
               invalid.empty() ? number_text(value) : "has no value: " + invalid);
  }
  for (std::size_t i = 0; i < evaluation.aggregates.size() && evaluation.is_valid(); ++i)
    fmt::print("  {} {}\n", study.aggregates[i].name, number_text(evaluation.aggregates[i]));
}

/// Empty when the point found what was searched for.
std::string failure_of(const PointOutcome& point) {
  const std::optional<Evaluation>& best = point.result.best;
  const std::vector<std::string>& remarks = point.result.remarks;
  if (best && !best->is_feasible()) return "nothing keeps the limits: " + best->excess;
  if (best && point.trained.empty() && point.beyond_limits > 0)
    return "nothing was trained: no network keeps the limits as the data of 'train' needs it";
  if (best) return "";
  return remarks.empty() ? "nothing was found" : remarks.back();
}

/// Tells of the trainings that failed; whether there are any.
bool tell_failed_trainings(const RunOutcome& outcome) {
  bool found = false;
  for (const PointOutcome& point : outcome.points)
    for (const TrainedRow& row : point.trained) {
      if (row.failure.empty()) continue;
      found = true;
      fmt::print(stderr, "thimble: error: network {}, training of seed {}: {}\n",
                 number_of(point, row.network.text), row.seed, row.failure);
    }
  return found;
}

/// A run that found no valid network, or lacks a training, has failed (1), one that found none
/// within the limits, or none that could be trained within them, has no answer (3); both say so
/// even when they are quiet.
int exit_code(const RunOutcome& outcome) {
  int code = tell_failed_trainings(outcome) ? 1 : 0;
  for (const PointOutcome& point : outcome.points) {
    const std::string failure = failure_of(point);
    if (failure.empty()) continue;
    code = !point.result.best || code == 1 ? 1 : 3;
    fmt::print(stderr, "thimble: error: {}{}\n", point.row.empty() ? "" : point.row + ": ",
               failure);
  }
  return code;
}

}  // namespace

std::vector<Assignment> parse_overrides(const std::vector<std::string>& texts) {
  std::vector<Assignment> overrides;
  for (const std::string& text : texts) overrides.push_back(parse_override(text));
  if (std::ranges::count(overrides, "rows", &Assignment::path) > 1)
    throw InputError{"the rows are given twice", "say them by --rows or by rows=, not by both"};
  return overrides;
}

std::vector<Line> lines_of(const std::string& file) {
  const std::string text =
      file == "-" ? std::string{std::istreambuf_iterator<char>{std::cin}, {}} : read_file(file);
  std::vector<Line> lines;
  Location where{file, 0, 1};
  for (const std::string& line : split(std::string{plain_text(text, file)}, '\n')) {
    ++where.line;
    const std::string_view words = trimmed(line);
    if (words.empty() || words.starts_with('#')) continue;
    where.column = 1 + static_cast<int>(words.data() - line.data());
    lines.push_back({std::string{words}, where});
  }
  return lines;
}

int jobs_or_all(int jobs) {
  return jobs > 0 ? jobs : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::string to_json(const Value& value) {
  // A text that is not UTF-8 came from the user; it must not cost the other lines.
  return json_of(value).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

int run(const RunArguments& arguments, const World& world) {
  const ChosenEngine chosen = chosen_engine(arguments, world);
  Progress progress{arguments.is_quiet};
  RunOptions options;
  options.experiment = arguments.experiment;
  options.overrides = parse_overrides(arguments.overrides);
  options.output = arguments.output;
  options.data_folder = world.data_folder;
  options.jobs = jobs_or_all(arguments.jobs);
  options.device = trainings_device(arguments);
  options.resume = arguments.resume;
  options.say = [&](const std::string& line) { progress.say(line); };
  options.progress = [&](auto... where) { progress.scored(where...); };
  options.trained = [&](auto... where) { progress.trained(where...); };
  options.farmed = [&](auto... where) { progress.farmed(where...); };
  options.engine = chosen.engine.get();
  options.batch_minutes = arguments.batch_minutes;
  options.worker = chosen.worker;
  if (chosen.detach) options.submitted = chosen.detach;
  if (!is_blas_fast()) progress.say("warning: " + blas_name());
  RunOutcome outcome;
  try {
    outcome = run_experiment(options, world.loader);
  } catch (const Detached& detached) {
    fmt::print("{}\n", detached.words);
    return 0;
  }
  progress.clear();
  if (arguments.as_json) {
    Value document = result_document(outcome.points, outcome.remarks);
    document.set("folder", Value::scalar(outcome.folder.string(), true));
    fmt::print("{}\n", to_json(document));
    return exit_code(outcome);
  }
  if (!arguments.is_quiet)
    fmt::print("\n{}\n{}{}\n", best_lines(outcome), to_markdown(outcome.report), outcome.answers);
  for (const Table& trained : {training_overview(outcome.points), training_summary(outcome.points)})
    if (!arguments.is_quiet && !trained.rows.empty()) fmt::print("{}\n", to_markdown(trained));
  for (const std::string& remark : outcome.remarks)  // said long ago, where a run is long
    if (!arguments.is_quiet) fmt::print("remark: {}\n", remark);
  if (const auto page = outcome.folder / kPageFile;
      !arguments.is_quiet && std::filesystem::exists(page))
    fmt::print("{}\n", page.string());
  fmt::print("{}\n", outcome.folder.string());
  return exit_code(outcome);
}

int score(const ScoreArguments& arguments, const World& world) {
  use_single_threaded_math();
  const auto [file, archs] = asked_of(arguments);
  const auto experiment = load_experiment(file, parse_overrides(arguments.overrides), world.loader);
  const Study& study = experiment.studies.front();
  if (experiment.studies.size() > 1)
    fmt::print(stderr, "remark: the sweep has {} points; scoring as its first does{}\n",
               experiment.studies.size(), study.row.empty() ? "" : " (" + study.row + ")");
  const MetricNames metrics = study.metric_names();
  ScoringSetup setup = study.scoring();
  const int jobs = setup.jobs = jobs_or_all(arguments.jobs);
  setup.scores_infeasible = true;  // what is asked for is scored, whether it fits or not
  Scoring scoring{std::move(setup)};
  const std::string runtime =
      study.hardware == nullptr ? "" : runtime_text(study.hardware->target());
  bool are_all_valid = true;
  const auto evaluations = evaluate_texts(archs, study, scoring, jobs);
  for (const Evaluation& evaluation : evaluations) {
    are_all_valid = are_all_valid && evaluation.is_valid();
    if (arguments.as_json) {
      fmt::print("{}\n", to_json(plain_costs(evaluation_document(evaluation, metrics), runtime)));
    } else {
      print_evaluation(evaluation, study);
    }
  }
  if (evaluations.size() < archs.size()) throw Interrupted{"interrupted"};
  return are_all_valid ? 0 : 1;
}

}  // namespace thimble::cli
