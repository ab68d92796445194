#include <thimble/deploy/profile.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/deploy/generate_c.hpp>

#include "op_program.hpp"

namespace thimble {
namespace {

std::string bytes_of(std::span<const std::int8_t> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size()};
}

std::vector<std::int8_t> values_of(std::string_view bytes) {
  const auto* const first = reinterpret_cast<const std::int8_t*>(bytes.data());
  return {first, first + bytes.size()};
}

const RegionCount* region_of(const EmulatorRun& run, int region) {
  const auto found = std::ranges::find(run.regions, region, &RegionCount::region);
  return found == run.regions.end() ? nullptr : &*found;
}

std::int64_t instructions_of(const EmulatorRun& run, int region) {
  const RegionCount* const found = region_of(run, region);
  return found == nullptr ? 0 : static_cast<std::int64_t>(found->instructions);
}

/// A program of one network: run_network.c feeds it from files.
Firmware build_network(const Int8Network& network, const Toolchain& toolchain, Core core,
                       bool has_marks, const std::filesystem::path& folder) {
  const CSource source = generate_c(network);
  const auto file = folder / (network.name + ".c");
  write_file(folder / (network.name + ".h"), source.header);
  write_file(file, source.source);
  FirmwareOptions options;
  options.core = core;
  options.has_marks = has_marks;
  options.regions = static_cast<int>(network.layers.size()) + 1;  // the last is the whole run
  options.definitions = {
      "THIMBLE_NETWORK=" + network.name,
      fmt::format("THIMBLE_INPUT_BYTES={}", network.tensor(0).shape.elements()),
      fmt::format("THIMBLE_OUTPUT_BYTES={}", network.tensor(network.output).shape.elements())};
  return toolchain.compile({file, toolchain.firmware_folder() / "run_network.c"},
                           folder / "program.elf", options);
}

OpCount count_of(const ProgramOp& op, const EmulatorRun& run, int region) {
  OpCount count;
  count.op = op.op;
  count.constant_bytes = op.constant_bytes;
  count.scratch_bytes = scratch_bytes(op.network, op.network.layers.back());
  count.kernels = op.kernels;
  if (const RegionCount* const found = region_of(run, region)) {
    count.instructions = static_cast<std::int64_t>(found->instructions);
    count.classes = found->classes;
  }
  return count;
}

}  // namespace

Profiler::Profiler(Core core)
    : toolchain_{Toolchain::find()}, emulator_{Emulator::find()}, core_{core} {}

std::string Profiler::conditions() const {
  return fmt::format("kernels {}, gcc {} {}, {}", kernels_version(), toolchain_.version(),
                     FirmwareOptions{}.optimisation, name_of(core_));
}

Profile Profiler::profile(std::span<const OpShape> ops) const {
  Profile made;
  std::vector<OpShape> none;  // the emulated machines are not that small
  for (const OpProgram& program : op_programs(ops, {}, none)) {
    const TemporaryFolder folder;
    const Firmware firmware =
        build(program, /*repeats=*/0, toolchain_, {}, {.core = core_}, folder.path());
    const EmulatorRun run = emulator_.run(firmware);
    const OpRecords records = parse_op_records(run.text).front();
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      const ProgramOp& op = program.ops[i];
      require_right(records.ops.at(i), op.network, name_of(core_));
      made.ops.push_back(count_of(op, run, program.region(i)));
      for (const std::string& kernel : op.kernels)
        made.code_bytes[kernel] = code_bytes_of(firmware.elf, kernel);
    }
  }
  return made;
}

Execution Profiler::execute(const Int8Network& network, std::span<const std::int8_t> input) const {
  const TemporaryFolder folder;
  const Firmware firmware =
      build_network(network, toolchain_, core_, /*has_marks=*/true, folder.path());
  const EmulatorRun run = emulator_.run(
      firmware, {.files = {{"input.bin", bytes_of(input)}}, .wanted_files = {"output.bin"}});
  if (run.status != 0)
    throw Error{fmt::format("the program of {} ended with {}: its files cannot be read or written",
                            network.name, run.status)};
  Execution made;
  made.output = values_of(run.files.at("output.bin"));
  if (run_reference(network, input)[static_cast<std::size_t>(network.output)] != made.output)
    throw Error{fmt::format("the generated C of {} does not compute on {} what its reference does",
                            network.name, name_of(core_)),
                "this is an error of thimble: please report it"};
  for (int i = 0; i < static_cast<int>(network.layers.size()); ++i) {
    made.layer_instructions.push_back(instructions_of(run, i));
    made.instructions += made.layer_instructions.back();
  }
  made.stack_bytes = run.stack_bytes;
  return made;
}

ProgramSize Profiler::size(const Int8Network& network) const {
  const TemporaryFolder folder;
  const Firmware firmware =
      build_network(network, toolchain_, core_, /*has_marks=*/false, folder.path());
  const ElfSymbol* const arena = firmware.elf.find(network.name + "_arena");
  return {arena == nullptr ? 0 : arena->bytes, firmware.ram_bytes(), firmware.rom_bytes()};
}

}  // namespace thimble
