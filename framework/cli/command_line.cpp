#include "command_line.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/instruction_sets.hpp>
#include <thimble/core/text.hpp>

#include "program.hpp"

namespace thimble::cli {
namespace {

/// Holds words to whole numbers within bounds.
CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const auto wrong = [least, most](const std::string& word) {
    const auto number = parse_integer(word);
    if (!number) return in_quotes(word) + " is no whole number";
    if (*number >= least && *number <= most) return std::string{};
    return fmt::format("{} is outside [{}, {}]", in_quotes(word), least, most);
  };
  return {[wrong](std::string& word) { return wrong(word); },
          fmt::format("in [{}, {}]", least, most)};
}

/// One more label in the override "rows=['TE-NAS*', 'latency*']".
void add_row(std::vector<std::string>& overrides, const std::string& row) {
  std::string quoted = "'";
  for (const char letter : row) quoted += letter == '\'' ? "''" : std::string(1, letter);
  quoted += "'";
  const auto rows = std::ranges::find_if(
      overrides, [](const std::string& text) { return text.starts_with("rows=['"); });
  if (rows == overrides.end()) return overrides.push_back("rows=[" + quoted + "]");
  rows->insert(rows->size() - 1, ", " + quoted);
}

}  // namespace

CommandLine::CommandLine(std::string data_folder) : data_{std::move(data_folder)} {
  app_.set_version_flag("--version", "thimble " THIMBLE_VERSION);
  app_.require_subcommand(1);
  app_.get_formatter()->column_width(34);
  app_.footer(
      "Docs: docs/experiment-format.md, installed in share/doc/thimble. Exit codes: 0 done, 1 "
      "failed, 2 input wrong, "
      "3 nothing keeps the limits, "
      "130 interrupted (go on with run --resume).");
  add_run();
  add_work();
  add_farm();
  add_report();
  add_check();
  add_score();
  add_train();
  add_evaluate();
  add_deploy();
  add_plugins();
  add_new();
  add_profile();
  add_calibrate();
  add_import();
}

std::optional<int> CommandLine::parse(int count, const char* const* arguments) {
  try {
    app_.parse(count, arguments);
  } catch (const CLI::Success& asked) {
    return app_.exit(asked);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "thimble: error: %s\n  note: thimble %s--help lists what there is\n",
                 reason(error).c_str(), asked_command().c_str());
    return kInputWrong;
  }
  return std::nullopt;
}

std::string CommandLine::asked_command() const {
  const auto asked = app_.get_subcommands();
  return asked.empty() ? "" : asked.front()->get_name() + " ";
}

std::string CommandLine::reason(const CLI::ParseError& error) const {
  const auto rest = app_.remaining(true);
  const auto asked = app_.get_subcommands();
  std::vector<std::string> known;
  if (asked.empty()) {
    for (const CLI::App* const command : app_.get_subcommands({}))
      known.push_back(command->get_name());
    if (rest.empty() || rest.front().starts_with('-')) return "no command given";
    return fmt::format("no command {}{}", in_quotes(rest.front()),
                       did_you_mean(rest.front(), known));
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty()) {
    for (const CLI::Option* const option : asked.front()->get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    return fmt::format("{} is not expected{}", in_quotes(rest.front()),
                       did_you_mean(rest.front(), known));
  }
  std::string text = error.what();
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z')
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

CLI::App* CommandLine::add(const std::string& name, const std::string& what,
                           std::function<int(const World&)> command) {
  CLI::App* const sub = app_.add_subcommand(name, what);
  sub->callback([this, command = std::move(command)] { command_ = command; });
  return sub;
}

void CommandLine::add_data(CLI::App* sub) {
  sub->add_option("--data", data_, "folder of data sets (THIMBLE_DATA)")->capture_default_str();
}

CLI::Option* CommandLine::add_jobs(CLI::App* sub, int& jobs, const char* what) {
  constexpr int kMostJobs = 1024;
  return sub->add_option("--jobs,-j", jobs, what)->check(whole_number(0, kMostJobs));
}

void CommandLine::add_experiment(CLI::App* sub, std::string& experiment,
                                 std::vector<std::string>& overrides) {
  sub->add_option("experiment", experiment, "experiment file (YAML)")->required();
  sub->add_option("overrides", overrides, "key.path=value, as in seed=3 or proxies.ntk.batch=16");
  sub->add_option("--rows", rows_, "rows of the sweep to run, by label; * stands for any letters")
      ->allow_extra_args(false)
      ->each([&overrides](const std::string& row) { add_row(overrides, row); });
}

void CommandLine::add_run() {
  auto* const sub =
      add("run", "run an experiment", [this](const World& world) { return run(run_, world); });
  add_experiment(sub, run_.experiment, run_.overrides);
  add_jobs(sub, run_.jobs, "candidates at a time; 0: one a core")->capture_default_str();
  sub->add_flag("--resume", run_.resume, "go on where an equal run stopped");
  sub->add_option("--output", run_.output, "folder of run folders")->capture_default_str();
  add_engine(sub, run_);
  sub->add_flag("--detach", run_.is_detached, "with engine slurm: submit, and do not wait");
  sub->add_flag("--quiet,-q", run_.is_quiet, "print the run folder's path and nothing else");
  sub->add_flag("--json", run_.as_json, "print the result as JSON instead of a table");
  add_data(sub);
}

/// The launcher reads it, too: libraries choose their kernels when they are loaded.
void CommandLine::add_arithmetic(CLI::App* sub, std::string& arithmetic) {
  sub->add_option("--arithmetic", arithmetic,
                  "native, or avx2: the same bits on all processors that have it")
      ->capture_default_str()
      ->check(CLI::IsMember(std::vector<std::string>{"native", "avx2"}))
      ->each([](const std::string& word) {
        if (word == "avx2") limit_to_avx2();
      });
}

void CommandLine::add_device(CLI::App* sub, std::string& device) {
  sub->add_option("--device", device,
                  "what trainings run on: cpu, cuda, cuda:N, auto, a GPU where there is one, or "
                  "plain, as a GPU would but here (docs/libtorch.md)")
      ->capture_default_str();
}

void CommandLine::add_engine(CLI::App* sub, EngineArguments& arguments) {
  add_arithmetic(sub, arguments.arithmetic);
  add_device(sub, arguments.device);
  constexpr int kMostWorkers = 1024;
  sub->add_option("--engine", arguments.engine,
                  "compute in processes of their own: local, slurm or srun (docs/farm.md)");
  sub->add_option("--workers", arguments.workers, "of engine local, at a time; 0: one a core")
      ->check(whole_number(0, kMostWorkers))
      ->capture_default_str();
  sub->add_option("--batches", arguments.batch_minutes,
                  "spread single searches: their batches that would take more minutes here")
      ->check(CLI::NonNegativeNumber);
  sub->add_option(
      "--engine-file", arguments.engine_file,
      "settings of engines slurm and srun (YAML); ~/.config/thimble/engine.yaml by default");
}

/// Engines call it, people do not.
void CommandLine::add_work() {
  auto* const sub = add("work", "compute parts of a run",
                        [this](const World& world) { return work(work_, world); });
  sub->group("");
  sub->add_option("run", work_.run, "folder of the run")->required();
  sub->add_option("parts", work_.parts, "their names")->required();
  add_arithmetic(sub, work_.arithmetic);
  add_device(sub, work_.device);
  add_jobs(sub, work_.jobs, "candidates at a time");
  add_data(sub);
}

void CommandLine::add_farm() {
  auto* const sub =
      add("farm", "show how far a run's parts are", [this](const World&) { return farm(farm_); });
  sub->add_option("action", farm_.action, "status")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"status"}));
  sub->add_option("run", farm_.run, "folder of the run")->required();
}

void CommandLine::add_report() {
  auto* const sub = add("report", "write the pages of runs again, or the page over all of them",
                        [this](const World& world) { return report(report_, world); });
  sub->add_option("runs", report_.runs, "folders of complete runs");
  sub->add_option("--index", report_.index,
                  "folder of run folders (runs by default): its index.html is written")
      ->expected(0, 1)
      ->default_str("runs");
  add_data(sub);
}

void CommandLine::add_check() {
  auto* const sub =
      add("check", "check an experiment, show what would run and what it costs; run nothing",
          [this](const World& world) { return check(check_, world); });
  add_experiment(sub, check_.experiment, check_.overrides);
  add_engine(sub, check_);
  add_data(sub);
}

void CommandLine::add_score() {
  auto* const sub = add("score", "score architectures as an experiment would",
                        [this](const World& world) { return score(score_, world); });
  add_experiment_or_run(sub, score_.experiment, score_.overrides);
  auto* const arch =
      sub->add_option("--arch", score_.archs, "an architecture, as the search space writes it")
          ->allow_extra_args(false);
  auto* const archs = sub->add_option("--archs", score_.archs_file,
                                      "file of architectures, one a line; - for input");
  add_number(sub, score_.network)->excludes(arch)->excludes(archs);
  add_jobs(sub, score_.jobs, "candidates at a time; 0: one a core");
  sub->add_flag("--json", score_.as_json, "one JSON object a line");
  add_data(sub);
}

void CommandLine::add_deploy() {
  auto* const sub = add("deploy", "write a network as int8 C for a microcontroller",
                        [this](const World& world) { return deploy(deploy_, world); });
  add_network(sub, deploy_);
  add_weights(sub, deploy_);
  sub->add_flag("--drawn", deploy_.is_drawn, "draw the weights, also of a network of a run");
  sub->add_option("--name", deploy_.name, "of the network in C, and of the files")
      ->capture_default_str();
  sub->add_option("--output", deploy_.output, "folder for the files")->capture_default_str();
  sub->add_option(
      "--verify", deploy_.verify,
      "run it in the emulator on this core (m3, m4, m7, m33, m55), or on the host with all "
      "test samples");
}

void CommandLine::add_train() {
  auto* const sub = add("train", "train one network of an experiment or a run, as its 'train' says",
                        [this](const World& world) { return train(train_, world); });
  add_network(sub, train_);
  sub->add_option("--output,-o", train_.output, "folder whose trainings/ has the result")
      ->capture_default_str();
  add_jobs(sub, train_.jobs, "threads; 0: one a core");
  add_device(sub, train_.device);
  sub->add_flag("--quiet,-q", train_.is_quiet, "print the files of weights and nothing else");
}

void CommandLine::add_evaluate() {
  auto* const sub = add("evaluate", "test a trained network, as floats and as int8",
                        [this](const World& world) { return evaluate(evaluate_, world); });
  add_network(sub, evaluate_);
  add_weights(sub, evaluate_);
  sub->add_option("--output", evaluate_.output, "folder for confusion matrix and classes");
  add_jobs(sub, evaluate_.jobs, "threads; 0: one a core");
}

void CommandLine::add_experiment_or_run(CLI::App* sub, std::string& experiment,
                                        std::vector<std::string>& overrides) {
  sub->add_option("experiment", experiment, "experiment file (YAML), or the folder of a run")
      ->required();
  sub->add_option("overrides", overrides, "key.path=value");
}

CLI::Option* CommandLine::add_number(CLI::App* sub, std::optional<std::int64_t>& number) {
  return sub->add_option("--network", number, "its number in the run's tables")
      ->check(whole_number(1, 1'000'000'000));
}

void CommandLine::add_network(CLI::App* sub, NetworkArguments& network) {
  add_experiment_or_run(sub, network.experiment, network.overrides);
  auto* const arch =
      sub->add_option("--arch", network.arch, "the architecture, as the search space writes it");
  add_number(sub, network.network)->excludes(arch);
  sub->add_option("--dataset", network.dataset,
                  "of its training, where train: {datasets: [...]} lists several");
  sub->add_option("--seed", network.seed, "of its training; by default the run's first")
      ->check(whole_number(0, std::numeric_limits<std::int64_t>::max()));
  add_data(sub);
}

void CommandLine::add_weights(CLI::App* sub, NetworkArguments& network) {
  sub->add_option("--weights", network.weights, "file of weights that `thimble train` printed");
}

void CommandLine::add_plugins() {
  auto* const plugins = add("plugins", "list plugins",
                            [this](const World& world) { return list_plugins(kind_, world); });
  plugins->add_option("kind", kind_, "proxy, searchspace, searcher, hardware, dataset or task");
  auto* const shown = add("show", "show a plugin's parameters",
                          [this](const World& world) { return show(name_, as_markdown_, world); });
  shown->add_option("name", name_, "the plugin's name, or kind/name; without one, all are listed");
  shown->add_flag("--markdown", as_markdown_, "as the table for its README");
}

void CommandLine::add_new() {
  auto* const made = add("new", "write the folder of a new plugin, or the file of a board",
                         [this](const World& world) { return create(new_, world); });
  made->add_option("kind", new_.kind,
                   "proxy, searchspace, searcher, hardware, dataset or task; or board")
      ->required();
  made->add_option("name", new_.name, "lower case letters, digits and _")->required();
  made->add_option("--folder", new_.folder, "where to; ./NAME when left out");
  made->add_option("--core", new_.core, "of a board: m3, m4, m7, m33 or m55");
  made->add_flag("--trains", new_.trains, "a searcher in whose search networks learn");
  auto* const completion = add("completion", "print a completion script",
                               [this](const World&) { return complete(shell_); });
  completion->add_option("shell", shell_, "bash or zsh")->capture_default_str();
}

void CommandLine::add_profile() {
  auto* const sub = add("profile",
                        "count operators in the emulator, or measure them on a board, into a "
                        "look-up table",
                        [this](const World& world) { return profile(profile_, world); });
  sub->footer(
      "Without experiment and --ops a built-in set of operators is taken. docs/own-board.md has "
      "the way from wiring a board to a search with its cycles.");
  sub->add_option("experiment", profile_.experiment,
                  "experiment file (YAML): the operators of its search space");
  sub->add_option("overrides", profile_.overrides, "key.path=value");
  sub->add_option("--ops", profile_.ops_file, "file of operators, one a line; - for input");
  auto* const core =
      sub->add_option("--core", profile_.core, "m3, m4, m7, m33 or m55")->capture_default_str();
  sub->add_option("--networks", profile_.networks,
                  "random networks to look for operators in; 0: all, or 1000 of a large space")
      ->check(whole_number(0, 10'000'000));
  sub->add_option("--output", profile_.output, "table (CSV) that the rows are added to")
      ->capture_default_str();
  add_data(sub);
  add_profile_on_board(sub, core);
}

void CommandLine::add_profile_on_board(CLI::App* sub, CLI::Option* core) {
  auto* const board = sub->add_option("--board", profile_.board,
                                      "measure: name of a board, or path to a board file (.yaml)")
                          ->excludes(core)
                          ->group("On a board");
  const auto add = [&](const char* name, auto& value, const char* what) {
    return sub->add_option(name, value, what)->needs(board)->group("On a board");
  };
  auto* const runner =
      add("--runner", profile_.runner,
          "command that runs the program {elf} on the board and prints what it prints");
  auto* const emit =
      add("--emit", profile_.emit, "write C for a project of your own into this folder instead");
  auto* const records =
      add("--records", profile_.records, "take what that project printed from this file");
  runner->excludes(emit)->excludes(records);
  emit->excludes(records);
  add("--setup", profile_.setup,
      "clock, wait states, caches, memory placement, as rows shall state them");
  add("--source", profile_.sources, "C file of the board's own, linked into the program")
      ->needs(runner)
      ->allow_extra_args(false);
  add("--repeat", profile_.repeat, "runs of each operator; rows have their median")
      ->check(whole_number(1, 1000))
      ->capture_default_str();
  add("--limit", profile_.limit_s, "seconds until the command is killed")
      ->check(whole_number(1, 86'400))
      ->capture_default_str();
}

void CommandLine::add_calibrate() {
  auto* const sub = add("calibrate", "fit a board's cycles an instruction to measurements",
                        [this](const World& world) { return calibrate(calibrate_, world); });
  sub->add_option("--board", calibrate_.board, "name of a board, or path to a board file")
      ->required();
  sub->add_option("--measured", calibrate_.measured, "table of cycles on the board")->required();
  sub->add_option("--counted", calibrate_.counted, "table of instructions on its core")->required();
  sub->add_option("--output", calibrate_.output, "board file (.yaml) to write the fit into");
}

void CommandLine::add_import() {
  auto* const sub = add("import", "turn others' measurements into a look-up table",
                        [this](const World&) { return import_rows(import_); });
  sub->add_option("file", import_.file, "what to read")->required();
  sub->add_option("--format", import_.format, "convolutions (CSV) or micronas (records.json)")
      ->capture_default_str();
  sub->add_option("--cycles", import_.cycles, "column of cycles on the board");
  sub->add_option("--instructions", import_.instructions, "column of instructions on the core");
  sub->add_option("--board", import_.conditions.board, "id of the board");
  sub->add_option("--core", import_.conditions.core, "m3, m4, m7, m33 or m55");
  sub->add_option("--kernels", import_.conditions.kernels, "whose kernels, and which version")
      ->required();
  sub->add_option("--compiler", import_.conditions.compiler, "as in \"gcc 12.2.1\"");
  sub->add_option("--flags", import_.conditions.flags, "as in -O2");
  sub->add_option("--output", import_.output, "table (.csv) to write")->required();
}

}  // namespace thimble::cli
