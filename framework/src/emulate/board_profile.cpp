#include <thimble/emulate/board_profile.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/median.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>
#include <thimble/deploy/generate_c.hpp>

#include "op_program.hpp"

namespace thimble {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStackBytes = 4'096;
constexpr std::size_t kOpsOfProgram = 50;

/// From here on a cycle counter of 32 bits could turn twice, at 16 cycles a multiplication.
constexpr std::int64_t kMostMacs = std::int64_t{1} << 28;

/// Of the processor's CPUID.
std::uint64_t part_of(Core core) {
  switch (core) {
    case Core::m3: return 0xC23;
    case Core::m4: return 0xC24;
    case Core::m7: return 0xC27;
    case Core::m33: return 0xD21;
    case Core::m55: return 0xD22;
  }
  return 0;
}

void require_measurable(std::span<const OpShape> ops) {
  for (const OpShape& op : ops)
    if (macs(op) > kMostMacs)
      throw InputError{in_quotes(to_string(op)) + " takes longer than a cycle counter of 32 bits",
                       "leave it out"};
}

void require_conditions(const OpRecords& records, Core core) {
  if (records.clock != "cycles" && records.clock != "systick")
    throw Error{"the board has no running cycle counter (DWT CYCCNT)",
                "some boards count while a debugger is connected only; otherwise let thimble build "
                "the program (--runner), which then takes SysTick"};
  if (records.part != part_of(core))
    throw Error{
        fmt::format("the program ran on a processor with part number {:#x}, and a {} has {:#x}",
                    records.part, name_of(core), part_of(core)),
        "is this the board that the board file describes?"};
}

OpCycles cycles_of(const OpRecord& record, const OpRecords& records) {
  auto ticks = record.ticks;
  std::ranges::sort(ticks);
  if (ticks.empty() || ticks.front() == 0)
    throw Error{fmt::format("{} took no cycles", in_quotes(record.op)),
                "does the board's cycle counter stand still while it computes?"};
  OpCycles made;
  made.op = op_shape_of(record.op);
  made.median = median(ticks);
  made.least = ticks.front();
  made.most = ticks.back();
  made.repeats = ticks.size();
  made.kernels = records.kernels;
  made.compiler = records.compiler;
  made.flags = records.flags;
  return made;
}

/// The command with the program's path in it. Shells split paths with blanks.
std::string command_for(const std::string& command, const fs::path& elf) {
  constexpr std::string_view kElf = "{elf}";
  const std::string path = elf.string();
  if (path.find_first_of(" \t\n'\"\\$`;&|<>()*?[]{}~#!") != std::string::npos)
    throw Error{"a shell would not take the path " + in_quotes(path) + " as one word",
                "let TMPDIR name another folder"};
  std::string made = command;
  for (auto at = made.find(kElf); at != std::string::npos; at = made.find(kElf, at + path.size()))
    made.replace(at, kElf.size(), path);
  return made;
}

void check(const ProcessResult& result, const ProcessLimits& limits) {
  constexpr int kNotFound = 127;
  constexpr int kNotExecutable = 126;
  if (result.succeeded()) return;
  const bool is_cut = result.end == ProcessResult::End::out_of_time;
  const bool has_not_started = result.end == ProcessResult::End::exited &&
                               (result.code == kNotFound || result.code == kNotExecutable);
  throw Error{failure_text("the runner", result, limits),
              is_cut ? "does the firmware hang, or does the command not end behind its last line?"
              : has_not_started ? "is the program installed, and its name spelt right?"
                                : "try the command by hand"};
}

std::string run_on_board(const Firmware& firmware, const BoardOptions& options) {
  const ProcessLimits limits{.time = options.limit};
  const ProcessResult result = run_process(
      "/bin/sh", {"-c", command_for(options.command, firmware.file)}, fs::current_path(), limits);
  throw_if_crashed(result.output);  // says more than how the command ended
  check(result, limits);
  return result.output;
}

/// The records of this program and no other.
OpRecords own_records(const std::string& output, const OpProgram& program,
                      const Toolchain& toolchain, int repeats) {
  const auto all = parse_op_records(output);
  const OpRecords& records = all.back();
  const bool are_own_ops = std::ranges::equal(
      records.ops, program.ops, {}, [](const OpRecord& record) { return record.op; },
      [](const ProgramOp& op) { return to_string(op.op); });
  const bool are_own_repeats = std::ranges::all_of(records.ops, [&](const OpRecord& record) {
    return std::cmp_equal(record.ticks.size(), repeats);
  });
  const bool is_own_build = records.kernels == "thimble " + kernels_version() &&
                            records.compiler == "gcc " + toolchain.version() &&
                            records.flags == FirmwareOptions{}.optimisation;
  if (!are_own_ops || !are_own_repeats || !is_own_build)
    throw Error{"the board runs another program than the one that was built",
                "does the command write {elf} into its flash?"};
  return records;
}

std::vector<OpCycles> measure(const OpProgram& program, const Toolchain& toolchain,
                              const BoardOptions& options) {
  const TemporaryFolder folder;
  FirmwareOptions firmware_options;
  firmware_options.core = options.core;
  firmware_options.memory = options.memory;
  firmware_options.stack_bytes = kStackBytes;
  const Firmware firmware = build(program, options.repeats, toolchain, options.sources,
                                  std::move(firmware_options), folder.path());
  const OpRecords records =
      own_records(run_on_board(firmware, options), program, toolchain, options.repeats);
  require_conditions(records, options.core);
  std::vector<OpCycles> made;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const ProgramOp& op = program.ops[i];
    require_right(records.ops[i], op.network, "the board");
    OpCycles& cycles = made.emplace_back(cycles_of(records.ops[i], records));
    cycles.constant_bytes = op.constant_bytes;
    for (const std::string& kernel : op.kernels)
      cycles.code_bytes[kernel] = code_bytes_of(firmware.elf, kernel);
  }
  return made;
}

/// What one build measured of one operator in several programs is repeats of one measurement.
void merge(std::vector<OpRecords>& all, const OpRecords& more) {
  const auto same = std::ranges::find_if(all, [&](const OpRecords& known) {
    return known.kernels == more.kernels && known.compiler == more.compiler &&
           known.flags == more.flags;
  });
  if (same == all.end()) return all.push_back(more);
  for (const OpRecord& record : more.ops) {
    const auto known = std::ranges::find_if(same->ops, [&](const OpRecord& op) {
      return op.op == record.op && op.checksum == record.checksum;  // a wrong one is to be told
    });
    if (known == same->ops.end())
      same->ops.push_back(record);
    else
      known->ticks.insert(known->ticks.end(), record.ticks.begin(), record.ticks.end());
  }
}

/// Of the firmware, what another project's program needs.
constexpr std::array kGuestFiles{"run_operators.c", "run_operators.h", "profile.c",
                                 "print_number.c",  "guest_print.c",   "thimble_firmware.h"};

/// What thimble's own build says on the command line.
std::string guest_config(const OpProgram& program, int repeats) {
  return fmt::format(
      "/* Made by thimble. Compile the C files of this folder with -O2 and call thimble_profile()\n"
      " * once, when the clock is set; guest_print.c says where records go. */\n"
      "#ifndef THIMBLE_CONFIG_H\n#define THIMBLE_CONFIG_H\n\n"
      "#if !defined(__OPTIMIZE__) || defined(__OPTIMIZE_SIZE__)\n"
      "#error \"compile with {0}: rows of tables say so\" /* -O1, -Og and -O3 look alike */\n"
      "#endif\n\n"
      "#define THIMBLE_GUEST\n#define THIMBLE_PROFILE\n#define THIMBLE_REGIONS {1}\n"
      "#define THIMBLE_REPEATS {2}\n#define THIMBLE_FLAGS \"{0}\"\n\n#endif\n",
      FirmwareOptions{}.optimisation, program.regions(), repeats);
}

/// As measure() has it, of a record that another project's program printed.
OpCycles read_cycles(const OpShape& op, const OpRecord& record, const OpRecords& records) {
  std::vector<OpShape> none;
  const auto program = op_programs({&op, 1}, {}, none).front();
  require_right(record, program.ops.front().network, "the board");
  OpCycles made = cycles_of(record, records);
  made.constant_bytes = program.ops.front().constant_bytes;
  return made;
}

}  // namespace

BoardProfile profile_board(std::span<const OpShape> ops, const BoardOptions& options) {
  require_measurable(ops);
  const Toolchain toolchain = Toolchain::find();
  BoardProfile made;
  for (const OpProgram& program :
       op_programs(ops, limits_of(options.memory, kStackBytes, kOpsOfProgram), made.too_large))
    for (OpCycles& cycles : measure(program, toolchain, options))
      made.ops.push_back(std::move(cycles));
  return made;
}

std::vector<OpCycles> parse_board_records(std::string_view output, Core core,
                                          const std::string& file) {
  // Lines of other text may be noise of a serial line; but what an editor marked is text.
  for (const std::string_view mark : {"\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"})
    if (output.starts_with(mark)) output = plain_text(output, file);
  throw_if_crashed(output, file);
  std::vector<OpRecords> all;
  for (const OpRecords& records : parse_op_records(output, file)) {
    at_place(records.where, [&] { require_conditions(records, core); });
    merge(all, records);
  }
  std::vector<OpCycles> made;
  for (const OpRecords& records : all)
    for (const OpRecord& record : records.ops) {
      const OpShape op = op_shape_of(record.op, record.where);
      made.push_back(at_place(record.where, [&] { return read_cycles(op, record, records); }));
    }
  return made;
}

void write_board_project(std::span<const OpShape> ops, const std::optional<MemoryMap>& memory,
                         int repeats, const fs::path& folder) {
  require_measurable(ops);
  ProgramLimits limits;
  if (memory) limits = limits_of(*memory, kStackBytes, ops.size());
  if (!memory) limits.constant_bytes = limits.largest_op_bytes;
  limits.ops = ops.size();
  std::vector<OpShape> too_large;
  const auto programs = op_programs(ops, limits, too_large);
  if (!too_large.empty() || programs.size() != 1)
    throw InputError{
        fmt::format("{} operators do not fit into one program for the board", ops.size()),
        "write fewer into a file, and name it with --ops"};
  std::vector<SourceFile> files = sources_of(programs.front());
  for (const char* const name : kGuestFiles)
    files.push_back({name, read_file(installed_firmware() / name)});
  for (auto& [name, text] : files)
    if (name == "operators.h" || name == "thimble_firmware.h")
      text.insert(0, "#include \"thimble_config.h\"\n");
  files.push_back({"thimble_config.h", guest_config(programs.front(), repeats)});
  const MadeFolder made{folder};  // which goes again where nothing can be written into it
  std::vector<NamedText> all;
  for (const auto& [name, text] : files) all.emplace_back(folder / name, text);
  write_files(all);
}

}  // namespace thimble
