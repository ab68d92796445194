#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <thimble/emulate/toolchain.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/hardware/import_rows.hpp>
#include <thimble/plugin/loader.hpp>
#include <thimble/run/run.hpp>

/// The commands of `thimble`. Each returns an exit code: 0, or 1 when something failed; errors
/// are thrown and become 1, 2 or 130 in run_program().
namespace thimble::cli {

struct World {
  std::filesystem::path prefix;         ///< of this installation or build
  std::filesystem::path data_folder;    ///< --data, THIMBLE_DATA, or data
  std::filesystem::path config_folder;  ///< of the user's settings, or nothing
  PluginLoader& loader;
};

/// Who computes what a run asks for.
struct EngineArguments {
  std::string engine;                   ///< local or slurm, or nothing: this process
  int workers = 0;                      ///< of local
  std::optional<double> batch_minutes;  ///< batches that take longer are parts, not points
  std::string engine_file;              ///< settings of slurm; the user's own when left out
  std::string arithmetic = "native";
  std::string device = "cpu";  ///< of trainings
  bool is_detached = false;    ///< with slurm: submit, and let it finish the run by itself
};

struct RunArguments : EngineArguments {
  std::string experiment;
  std::vector<std::string> overrides;
  std::string output = "runs";
  int jobs = 0;
  bool resume = false;
  bool is_quiet = false;
  bool as_json = false;
};
int run(const RunArguments& arguments, const World& world);

/// Parts of a run, for an engine.
struct WorkArguments {
  std::string run;
  std::vector<std::string> parts;
  std::string arithmetic = "native";
  std::string device = "cpu";
  int jobs = 1;
};
int work(const WorkArguments& arguments, const World& world);

struct FarmArguments {
  std::string action;  ///< status
  std::string run;
};
int farm(const FarmArguments& arguments);

struct ReportArguments {
  std::vector<std::string> runs;     ///< folders whose pages are written again
  std::optional<std::string> index;  ///< a folder of run folders, for a page over all of them
};
int report(const ReportArguments& arguments, const World& world);

struct CheckArguments : EngineArguments {
  std::string experiment;
  std::vector<std::string> overrides;
};
int check(const CheckArguments& arguments, const World& world);

struct ScoreArguments {
  std::string experiment;
  std::vector<std::string> overrides;
  std::vector<std::string> archs;
  std::string archs_file;
  std::optional<std::int64_t> network;  ///< its number, where `experiment` is a run's folder
  int jobs = 0;
  bool as_json = false;
};
int score(const ScoreArguments& arguments, const World& world);

/// A network of an experiment, or of a run.
struct NetworkArguments {
  std::string experiment;  ///< file, or folder of a run
  std::vector<std::string> overrides;
  std::string arch;
  std::optional<std::int64_t> network;  ///< its number in the run
  std::string dataset;                  ///< of its training, by its name in `train.datasets`
  std::optional<std::int64_t> seed;     ///< of its training
  std::string weights;                  ///< file of a training's weights, or nothing
};

struct DeployArguments : NetworkArguments {
  bool is_drawn = false;  ///< weights drawn, though there might be trained ones
  std::string name = "network";
  std::string output = "deployed";
  std::string verify;  ///< a core to run it on in the emulator, host, or nothing
};
int deploy(const DeployArguments& arguments, const World& world);

struct EvaluateArguments : NetworkArguments {
  std::string output;  ///< folder for tables, or nothing
  int jobs = 0;
};
int evaluate(const EvaluateArguments& arguments, const World& world);

struct TrainArguments : NetworkArguments {
  std::string output = "runs";
  std::string device = "cpu";
  int jobs = 0;
  bool is_quiet = false;
};
int train(const TrainArguments& arguments, const World& world);

struct ProfileArguments {
  std::string experiment;  ///< whose search space is profiled, or nothing
  std::vector<std::string> overrides;
  std::string ops_file;  ///< operators, one a line; - for standard input
  std::string core = "m4";
  int networks = 0;  ///< to look for operators in; 0: all, or many
  std::string output = "operators.csv";
  std::string board;                 ///< to measure on, instead of counting for a core
  std::string runner;                ///< the command that runs a program on it,
  std::string emit;                  ///< or the folder to write one into,
  std::string records;               ///< or the file with what one printed
  std::vector<std::string> sources;  ///< C of the board's own
  std::string setup;                 ///< clock, wait states, placement
  int repeat = 5;
  int limit_s = 300;  ///< of one command
};
int profile(const ProfileArguments& arguments, const World& world);

struct CalibrateArguments {
  std::string board;
  std::string measured;
  std::string counted;
  std::string output;
};
int calibrate(const CalibrateArguments& arguments, const World& world);

struct ImportArguments {
  std::string file;
  std::string format = "convolutions";
  std::string cycles;
  std::string instructions;
  ImportConditions conditions;
  std::string output;
};
int import_rows(const ImportArguments& arguments);

int list_plugins(const std::string& kind, const World& world);
int show(const std::string& name, bool as_markdown, const World& world);
struct NewArguments {
  std::string kind;
  std::string name;
  std::string folder;
  bool trains = false;  ///< of a searcher: whether networks learn in its search
  std::string core;     ///< of a board
};
int create(const NewArguments& arguments, const World& world);
int create_board(const NewArguments& arguments, const World& world);
int complete(const std::string& shell);

/// A kind of plugin by name. Throws InputError.
Kind parse_kind(const std::string& text);
/// The overrides of a command line. Throws InputError.
std::vector<Assignment> parse_overrides(const std::vector<std::string>& texts);
/// Throws InputError when a cell of a table cannot hold the value of an option.
void require_cell_text(const std::string& option, const std::string& value);

/// Rows can be written there, and nothing but a latency table is written over. Before anything is
/// measured, which may take hours.
void require_table(const std::filesystem::path& file);
/// Throws InputError.
Core parse_core(const std::string& text);
/// A line without blanks at its ends, and where it was written.
struct Line {
  std::string text;
  Location where;
};
/// The lines of a UTF-8 file that are neither blank nor a # comment; - is standard input.
std::vector<Line> lines_of(const std::string& file);
/// 0 means all cores.
int jobs_or_all(int jobs);
/// JSON, on one line.
std::string to_json(const Value& value);

}  // namespace thimble::cli
