#include <array>
#include <chrono>
#include <set>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/emulate/board_profile.hpp>
#include <thimble/emulate/profile.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/measured_rows.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

/// Spaces up to this size are looked at whole.
constexpr std::uint64_t kWholeSpace = 20'000;

/// Distinct operators, in the order in which they were first seen.
class Operators {
 public:
  void add(const OpShape& op) {
    if (known_.insert(to_string(op)).second) ops_.push_back(op);
  }

  void add(const Graph& graph) {
    stop_if_requested();
    if (!is_connected(graph)) return;
    const Int8Network network = skeleton(deployed(graph));
    for (const Int8Layer& layer : network.layers) add(op_shape(network, layer));
  }

  const std::vector<OpShape>& all() const { return ops_; }

 private:
  std::set<std::string> known_;
  std::vector<OpShape> ops_;
};

void add_space(Operators& operators, const SearchSpace& space, int networks) {
  const auto decisions = space.decisions();
  const auto size = space_size(decisions);
  if (networks == 0 && size && *size <= kWholeSpace) {
    for (std::uint64_t i = 0; i < *size; ++i) operators.add(space.build(genotype_at(decisions, i)));
    return;
  }
  constexpr int kByDefault = 1000;
  Random random = Random::stream(0, {"profile"});
  for (int i = 0; i < (networks > 0 ? networks : kByDefault); ++i)
    operators.add(space.build(random_genotype(decisions, random)));
}

/// Every kind of operator, small and large, and a fully connected layer that streams its weights:
/// what cycles an instruction are fitted to. Two of a kind tell how well one fits the other.
constexpr std::array kBuiltIn{
    "conv 16x8x8 -> 16x8x8 window 3x3 stride 1x1 padding 1x1 groups 1",
    "conv 16x32x32 -> 8x32x32 window 3x3 stride 1x1 padding 1x1 groups 1",
    "conv 64x16x16 -> 32x16x16 window 1x1 stride 1x1 padding 0x0 groups 1",
    "depthwise 16x8x8 -> 16x8x8 window 3x3 stride 1x1 padding 1x1 groups 16",
    "depthwise 16x24x24 -> 16x24x24 window 3x3 stride 1x1 padding 1x1 groups 16",
    "linear 64x1x1 -> 10x1x1",
    "linear 640x1x1 -> 64x1x1",
    "avg_pool 16x8x8 -> 16x8x8 window 3x3 stride 1x1 padding 1x1 groups 1",
    "avg_pool 16x24x24 -> 16x24x24 window 3x3 stride 1x1 padding 1x1 groups 1",
    "max_pool 16x8x8 -> 16x4x4 window 2x2 stride 2x2 padding 0x0 groups 1",
    "max_pool 16x32x32 -> 16x16x16 window 2x2 stride 2x2 padding 0x0 groups 1",
    "mean 16x8x8 -> 16x1x1",
    "mean 64x16x16 -> 64x1x1",
    "relu 16x8x8 -> 16x8x8",
    "relu 16x32x32 -> 16x32x32",
    "add 16x8x8 16x8x8 -> 16x8x8",
    "add 16x16x16 16x16x16 -> 16x16x16",
    "concat 16x8x8 16x8x8 -> 32x8x8",
    "concat 16x16x16 16x16x16 -> 32x16x16",
    "softmax 10x1x1 -> 10x1x1",
    "softmax 100x1x1 -> 100x1x1",
};

/// An operator that runs nowhere is told where it was written, not when its turn comes.
OpShape op_of(const Line& line) {
  OpShape op = op_shape_of(line.text, line.where);
  try {
    blank_network_of(op);
  } catch (const InputError& error) {
    const Diagnostic& problem = error.diagnostics().front();
    throw InputError{Diagnostic{line.where, problem.message, problem.note}};
  }
  return op;
}

std::vector<OpShape> asked_ops(const ProfileArguments& arguments, const World& world) {
  Operators operators;
  if (!arguments.ops_file.empty())
    for (const Line& line : lines_of(arguments.ops_file)) operators.add(op_of(line));
  if (!arguments.experiment.empty()) {
    const auto experiment =
        load_experiment(arguments.experiment, parse_overrides(arguments.overrides), world.loader);
    for (const Study& study : experiment.studies)
      add_space(operators, *study.space, arguments.networks);
  }
  if (arguments.ops_file.empty() && arguments.experiment.empty())
    for (const char* const line : kBuiltIn) operators.add(op_shape_of(line));
  if (operators.all().empty())
    throw InputError{"no operator to profile",
                     "give an experiment, whose search space has some, or --ops FILE"};
  return operators.all();
}

/// New rows take the place of old ones; the file is written at the end, whole or not at all.
void write_rows(const std::vector<OpRow>& rows, const std::string& file) {
  const FileLock lock{file};
  LatencyTable table;
  for (const OpRow& row : rows) table.add(row);
  if (std::filesystem::exists(file)) table.merge(read_latency_table(file));
  write_latency_table(file, table);
}

void say_left_out(const std::vector<OpShape>& ops, const std::string& where) {
  for (const OpShape& op : ops)
    fmt::print("left out, too large for {}: {}\n", where, to_string(op));
}

int count(const ProfileArguments& arguments, const World& world) {
  const Core core = parse_core(arguments.core);
  const auto ops = asked_ops(arguments, world);
  const auto start = std::chrono::steady_clock::now();
  const Profiler profiler{core};
  const CountedRows counted = counted_rows(profiler, ops);
  say_left_out(counted.too_large, "the emulated " + arguments.core);
  if (counted.rows.empty())
    throw InputError{"the emulated " + arguments.core + " is too small for every operator"};
  write_rows(counted.rows, arguments.output);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  fmt::print("{} counted in {:.1f} s ({})\n{}\n", count_text(std::ssize(counted.rows), "operator"),
             seconds.count(), profiler.conditions(), arguments.output);
  return 0;
}

MemoryMap memory_of(const Board& board, const std::filesystem::path& file) {
  if (const auto memory = board.programs_memory()) return *memory;
  throw InputError{in_quotes(file.string()) + " does not say where programs may lie",
                   "add 'memory_map: {flash: {origin: 0x08000000, bytes: 524288}, ram: {origin: "
                   "0x20000000, bytes: 131072}}' with the board's own figures"};
}

void write_measured(const std::vector<OpCycles>& ops, const Board& board,
                    const ProfileArguments& arguments) {
  write_rows(measured_rows(ops, board.id, arguments.setup), arguments.output);
  fmt::print("{} measured on {} ({})\n{}\n", count_text(std::ssize(ops), "operator"), board.name,
             arguments.setup, arguments.output);
}

void run_on_board(const Board& board, const MemoryMap& memory, const ProfileArguments& arguments,
                  const World& world) {
  BoardOptions options;
  options.core = *core_of(board.core);
  options.memory = memory;
  options.command = arguments.runner;
  options.repeats = arguments.repeat;
  options.limit = std::chrono::seconds{arguments.limit_s};
  for (const std::string& source : arguments.sources) options.sources.emplace_back(source);
  const BoardProfile profile = profile_board(asked_ops(arguments, world), options);
  say_left_out(profile.too_large, "the board");
  if (profile.ops.empty()) throw InputError{"the board is too small for every operator"};
  write_measured(profile.ops, board, arguments);
}

int measure(const ProfileArguments& arguments, const World& world) {
  const auto file = board_file(arguments.board, world.prefix / "share" / "thimble");
  const Board board = read_board(file);
  if (!arguments.emit.empty()) {
    const auto ops = asked_ops(arguments, world);
    write_board_project(ops, board.programs_memory(), arguments.repeat, arguments.emit);
    fmt::print("{}; thimble_config.h says how to build the program\n{}\n",
               count_text(std::ssize(ops), "operator"), arguments.emit);
    return 0;
  }
  if (arguments.runner.empty() && arguments.records.empty())
    throw InputError{"nothing runs on the board",
                     "give a command with --runner, or --emit FOLDER and then --records FILE"};
  if (arguments.setup.empty())
    throw InputError{"a measurement without --setup",
                     "say what cycles depend on: --setup '180 MHz, 5 wait states, flash cache on, "
                     "data in SRAM1'"};
  require_cell_text("--setup", arguments.setup);
  require_cell_text("--board", board.id);
  if (!arguments.runner.empty())
    run_on_board(board, memory_of(board, file), arguments, world);
  else
    write_measured(
        parse_board_records(read_file(arguments.records), *core_of(board.core), arguments.records),
        board, arguments);
  return 0;
}

}  // namespace

int profile(const ProfileArguments& arguments, const World& world) {
  if (arguments.emit.empty()) require_table(arguments.output);
  return arguments.board.empty() ? count(arguments, world) : measure(arguments, world);
}

}  // namespace thimble::cli
