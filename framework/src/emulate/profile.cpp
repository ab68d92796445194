#include <thimble/emulate/profile.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/found_boxes.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>

#include "op_program.hpp"

namespace thimble {
namespace {

/// Of what one program with several networks or operators holds.
constexpr std::int64_t kMostConstantBytes = 262'144;
constexpr std::size_t kMostNetworks = 100;

/// Far less than any machine emulates in a second.
constexpr std::int64_t kMacsASecond = 10'000'000;

ProgramLimits limits_on(Core core) {
  ProgramLimits limits =
      limits_of(emulated_memory(core), FirmwareOptions{}.stack_bytes, kMostNetworks);
  limits.constant_bytes = kMostConstantBytes;
  return limits;
}

EmulatorOptions options_for(const OpProgram& program) {
  EmulatorOptions options;
  for (const ProgramOp& op : program.ops)
    options.limit += std::chrono::seconds{macs(op.op) / kMacsASecond};
  return options;
}

void require_fits(std::int64_t constant_bytes, std::int64_t arena_bytes, Core core,
                  const std::string& name) {
  const ProgramLimits limits = limits_on(core);
  const auto refuse = [&](const char* what, std::int64_t needed, std::int64_t there) {
    throw Unsupported{
        fmt::format("{} is too large for the emulated {}: {} bytes of {}, {} are there",
                    in_quotes(name), name_of(core), needed, what, there),
        "it can only be built for a target with more"};
  };
  if (constant_bytes > limits.largest_op_bytes)
    refuse("constants", constant_bytes, limits.largest_op_bytes);
  if (arena_bytes > limits.arena_bytes) refuse("arena", arena_bytes, limits.arena_bytes);
}

std::string bytes_of(std::span<const std::int8_t> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size()};
}

std::vector<std::int8_t> values_of(std::string_view bytes) {
  const auto* const first = reinterpret_cast<const std::int8_t*>(bytes.data());
  return {first, first + bytes.size()};
}

std::string boxes_to_file(const Int8Network& network) {
  return fmt::format(
      "  {{\n    const struct thimble_box *boxes;\n"
      "    const uint32_t bytes = (uint32_t){0}_boxes(&boxes) * sizeof *boxes;\n"
      "    if (thimble_write_file(\"{0}.boxes\", boxes, bytes) != (int32_t)bytes) return 3;\n"
      "  }}\n",
      network.name);
}

/// As struct thimble_box lies in a little-endian memory.
std::string bytes_of(const std::vector<FoundBox>& boxes) {
  std::string bytes;
  for (const FoundBox& box : boxes)
    for (const std::int32_t number :
         {box.left, box.top, box.right, box.bottom, (box.label << 16) | box.score})
      bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  return bytes;
}

/// A main() that runs networks one after the other, with inputs and outputs as files. With marks,
/// every network finds the arena poisoned.
std::string main_of(std::span<const Int8Network> networks, std::int64_t arena_bytes) {
  std::string body;
  for (const Int8Network& network : networks)
    body += fmt::format(
        "#ifdef THIMBLE_PROFILE\n  memset({0}_input() - {1}, 0xa5, {2});\n#endif\n"
        "  if (thimble_read_file(\"{0}.in\", {0}_input(), {3}) != {3}) return 1;\n"
        "  {0}_run();\n"
        "  if (thimble_write_file(\"{0}.out\", {0}_output(), {4}) != {4}) return 2;\n{5}",
        network.name, plan_memory(network, scratch_bytes).tensor_offsets[0], arena_bytes,
        network.tensor(0).shape.elements(), network.tensor(network.output).shape.elements(),
        network.boxes ? boxes_to_file(network) : "");
  return fmt::format(
      "#include <string.h>\n\n#include \"thimble_firmware.h\"\n#include \"{}.h\"\n\n"
      "int main(void) {{\n{}  return 0;\n}}\n",
      networks.front().name, body);
}

/// A program of some networks, run once each.
struct Program {
  CSource source;
  Firmware firmware;
  EmulatorRun run;
};

class Runner {
 public:
  Runner(const Toolchain& toolchain, const Emulator& emulator, Core core)
      : toolchain_{toolchain}, emulator_{emulator}, core_{core} {}

  Program run(std::span<const Int8Network> networks,
              std::span<const std::vector<std::int8_t>> inputs) const {
    Program made = build(networks, /*has_marks=*/true);
    EmulatorOptions run;
    for (std::size_t i = 0; i < networks.size(); ++i) {
      run.files[networks[i].name + ".in"] = bytes_of(inputs[i]);
      run.wanted_files.push_back(networks[i].name + ".out");
      if (networks[i].boxes) run.wanted_files.push_back(networks[i].name + ".boxes");
    }
    made.run = emulator_.run(made.firmware, run);
    if (made.run.status != 0)
      throw Error{
          fmt::format("the program of {} ended with {}: its files cannot be read or written",
                      networks.front().name, made.run.status)};
    for (std::size_t i = 0; i < networks.size(); ++i) require_right(networks[i], inputs[i], made);
    return made;
  }

  Program build(std::span<const Int8Network> networks, bool has_marks) const {
    const std::string& name = networks.front().name;
    Program made;
    made.source = generate_c(networks);
    require_fits(made.source.constant_bytes, made.source.plan.arena_bytes, core_, name);
    write_file(folder_.path() / (name + ".h"), made.source.header);
    write_file(folder_.path() / (name + ".c"), made.source.source);
    write_file(folder_.path() / "main.c", main_of(networks, made.source.plan.arena_bytes));
    FirmwareOptions options;
    options.core = core_;
    options.has_marks = has_marks;
    options.regions = 0;
    for (const Int8Network& network : networks)
      options.regions += static_cast<int>(network.layers.size());
    options.include_folders = {folder_.path()};
    made.firmware = toolchain_.compile({folder_.path() / (name + ".c"), folder_.path() / "main.c"},
                                       folder_.path() / "program.elf", options);
    return made;
  }

 private:
  void require_right(const Int8Network& network, std::span<const std::int8_t> input,
                     const Program& program) const {
    const auto values = run_reference(network, input);
    const auto& output = values[static_cast<std::size_t>(network.output)];
    const auto file = [&](const char* ending) {
      return program.run.files.at(network.name + ending);
    };
    const bool are_boxes_right =
        !network.boxes || bytes_of(found_boxes(network, output)) == file(".boxes");
    if (output != values_of(file(".out")) || !are_boxes_right)
      throw Error{
          fmt::format("the generated C of {} does not compute on {} what its reference does",
                      network.name, name_of(core_)),
          "this is an error of thimble: please report it"};
  }

  const Toolchain& toolchain_;
  const Emulator& emulator_;
  Core core_;
  TemporaryFolder folder_;
};

/// About what a network's weights, biases and factors take.
std::int64_t parameter_bytes(const Int8Network& network) {
  constexpr std::size_t kChannelBytes = 12;
  std::size_t bytes = 0;
  for (const Int8Layer& layer : network.layers)
    bytes += layer.weights.size() + kChannelBytes * layer.bias.size();
  return static_cast<std::int64_t>(bytes);
}

/// How many of the networks, from the first one on, go into one program: at least one.
std::size_t fitting(std::span<const Int8Network> networks) {
  std::size_t count = 1;
  std::int64_t bytes = parameter_bytes(networks.front());
  while (count < std::min(networks.size(), kMostNetworks)) {
    bytes += parameter_bytes(networks[count]);
    if (bytes > kMostConstantBytes) break;
    ++count;
  }
  return count;
}

const RegionCount* region_of(const EmulatorRun& run, int region) {
  const auto found = std::ranges::find(run.regions, region, &RegionCount::region);
  return found == run.regions.end() ? nullptr : &*found;
}

std::int64_t instructions_of(const EmulatorRun& run, int region) {
  const RegionCount* const found = region_of(run, region);
  return found == nullptr ? 0 : static_cast<std::int64_t>(found->instructions);
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
  for (const OpProgram& program : op_programs(ops, limits_on(core_), made.too_large)) {
    const TemporaryFolder folder;
    const Firmware firmware =
        build(program, /*repeats=*/0, toolchain_, {}, {.core = core_}, folder.path());
    const EmulatorRun run = emulator_.run(firmware, options_for(program));
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
  const std::vector<std::int8_t> values{input.begin(), input.end()};
  return execute(std::span{&network, 1}, std::span{&values, 1}).front();
}

std::vector<Execution> Profiler::execute(std::span<const Int8Network> networks,
                                         std::span<const std::vector<std::int8_t>> inputs) const {
  const Runner runner{toolchain_, emulator_, core_};
  std::vector<Execution> made;
  while (made.size() < networks.size()) {
    const std::size_t begin = made.size();
    const std::size_t count = fitting(networks.subspan(begin));
    const Program program =
        runner.run(networks.subspan(begin, count), inputs.subspan(begin, count));
    int region = 0;
    for (const Int8Network& network : networks.subspan(begin, count)) {
      Execution& execution = made.emplace_back();
      execution.output = values_of(program.run.files.at(network.name + ".out"));
      for (std::size_t layer = 0; layer < network.layers.size(); ++layer) {
        execution.layer_instructions.push_back(instructions_of(program.run, region++));
        execution.instructions += execution.layer_instructions.back();
      }
      execution.stack_bytes = program.run.stack_bytes;
    }
  }
  return made;
}

void Profiler::require_room(const Int8Network& skeleton) const {
  std::int64_t bytes = 0;
  for (const Int8Layer& layer : skeleton.layers) bytes += weights(op_shape(skeleton, layer));
  require_fits(bytes, plan_memory(skeleton, scratch_bytes).arena_bytes, core_, skeleton.name);
}

ProgramSize Profiler::size(const Int8Network& network) const {
  const Runner runner{toolchain_, emulator_, core_};
  const Firmware firmware = runner.build({&network, 1}, /*has_marks=*/false).firmware;
  const ElfSymbol* const arena = firmware.elf.find(network.name + "_arena");
  return {arena == nullptr ? 0 : arena->bytes, firmware.ram_bytes(), firmware.rom_bytes()};
}

}  // namespace thimble
