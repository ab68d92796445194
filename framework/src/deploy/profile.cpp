#include <thimble/deploy/profile.hpp>

#include <algorithm>
#include <regex>
#include <set>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/generate_c.hpp>

#include "kernels.hpp"

namespace thimble {
namespace {

/// Of what one program holds: the smallest machine has 512 KiB for code and as much for data.
constexpr std::int64_t kMostConstantBytes = 256 * 1024;
constexpr std::size_t kMostNetworks = 100;

std::string bytes_of(std::span<const std::int8_t> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size()};
}

std::vector<std::int8_t> values_of(std::string_view bytes) {
  const auto* const first = reinterpret_cast<const std::int8_t*>(bytes.data());
  return {first, first + bytes.size()};
}

/// By its shape alone, so that counts that depend on values do not depend on what else is counted.
std::vector<std::int8_t> drawn_input(const Int8Network& network) {
  Random random = Random::stream(1, {"profile", to_string(network.tensor(0).shape)});
  std::vector<std::int8_t> values(static_cast<std::size_t>(network.tensor(0).shape.elements()));
  for (std::int8_t& value : values) value = static_cast<std::int8_t>(random() >> 56);
  return values;
}

/// The last layer without those that make its inputs.
Int8Network last_layer_of(const Int8Network& network) {
  Int8Network alone = network;
  alone.layers = {network.layers.back()};
  return alone;
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
        "  if (thimble_write_file(\"{0}.out\", {0}_output(), {4}) != {4}) return 2;\n",
        network.name, plan_memory(network, scratch_bytes).tensor_offsets[0], arena_bytes,
        network.tensor(0).shape.elements(), network.tensor(network.output).shape.elements());
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
    if (values[static_cast<std::size_t>(network.output)] !=
        values_of(program.run.files.at(network.name + ".out")))
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

/// Networks and what each of them is run on.
struct Runs {
  std::span<const Int8Network> networks;
  std::span<const std::vector<std::int8_t>> inputs;
  std::span<const std::int64_t> constant_bytes;
};

/// Where the program ends that begins with network `begin`: behind as many as fit, at least one.
std::size_t end_of_program(const Runs& runs, std::size_t begin) {
  std::size_t end = begin + 1;
  std::int64_t bytes = runs.constant_bytes[begin];
  while (end < runs.networks.size() && end - begin < kMostNetworks) {
    bytes += runs.constant_bytes[end];
    if (bytes > kMostConstantBytes) break;
    ++end;
  }
  return end;
}

/// Runs networks in as few programs as hold them. use(i, program, region) sees each: network i,
/// whose layers are the program's regions from `region` on.
template <class Use>
void run_all(const Runner& runner, const Runs& runs, const Use& use) {
  for (std::size_t begin = 0; begin < runs.networks.size();) {
    const std::size_t end = end_of_program(runs, begin);
    const Program program = runner.run(runs.networks.subspan(begin, end - begin),
                                       runs.inputs.subspan(begin, end - begin));
    for (std::size_t region = 0; begin < end; region += runs.networks[begin++].layers.size())
      use(begin, program, region);
  }
}

std::int64_t instructions_of(const EmulatorRun& run, std::size_t region) {
  const auto found = std::ranges::find(run.regions, static_cast<int>(region), &RegionCount::region);
  return found == run.regions.end() ? 0 : static_cast<std::int64_t>(found->instructions);
}

/// Of the functions in a kernel's source; which of them there are depends on the core.
std::int64_t code_bytes_of(const Elf& elf, const std::string& kernel) {
  const std::string_view source = kernel_source(kernel);
  static const std::regex function{R"(\nKERNEL \w+ (\w+)\()"};
  std::set<std::string> names;  // some are there twice, with and without DSP instructions
  for (std::cregex_iterator found{source.begin(), source.end(), function}, end; found != end;
       ++found)
    names.insert((*found)[1]);
  std::int64_t bytes = 0;
  for (const std::string& name : names)
    if (const ElfSymbol* const symbol = elf.find(name)) bytes += symbol->bytes;
  return bytes;
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
  std::vector<Int8Network> networks;
  std::vector<std::vector<std::int8_t>> inputs;
  std::vector<std::int64_t> bytes;
  for (const OpShape& op : ops) {
    const Int8Network& network =
        networks.emplace_back(network_of(op, fmt::format("op{}", networks.size())));
    inputs.push_back(drawn_input(network));
    const CSource source = generate_c(last_layer_of(network));
    bytes.push_back(source.constant_bytes);
    made.ops.push_back({op,
                        0,
                        {},
                        source.constant_bytes,
                        scratch_bytes(network, network.layers.back()),
                        source.kernels});
  }
  const auto take = [&](std::size_t i, const Program& program, std::size_t region) {
    OpCount& count = made.ops[i];
    const auto last = static_cast<int>(region + networks[i].layers.size()) - 1;
    const auto found = std::ranges::find(program.run.regions, last, &RegionCount::region);
    if (found != program.run.regions.end()) {
      count.instructions = static_cast<std::int64_t>(found->instructions);
      count.classes = found->classes;
    }
    for (const std::string& kernel : count.kernels)
      made.code_bytes[kernel] = code_bytes_of(program.firmware.elf, kernel);
  };
  run_all(Runner{toolchain_, emulator_, core_}, {networks, inputs, bytes}, take);
  return made;
}

Execution Profiler::execute(const Int8Network& network, std::span<const std::int8_t> input) const {
  const std::vector<std::int8_t> values{input.begin(), input.end()};
  return execute(std::span{&network, 1}, std::span{&values, 1}).front();
}

std::vector<Execution> Profiler::execute(std::span<const Int8Network> networks,
                                         std::span<const std::vector<std::int8_t>> inputs) const {
  std::vector<Execution> made(networks.size());
  std::vector<std::int64_t> bytes;
  for (const Int8Network& network : networks) bytes.push_back(parameter_bytes(network));
  const auto take = [&](std::size_t i, const Program& program, std::size_t region) {
    Execution& execution = made[i];
    execution.output = values_of(program.run.files.at(networks[i].name + ".out"));
    for (std::size_t layer = 0; layer < networks[i].layers.size(); ++layer) {
      execution.layer_instructions.push_back(instructions_of(program.run, region + layer));
      execution.instructions += execution.layer_instructions.back();
    }
    execution.stack_bytes = program.run.stack_bytes;
  };
  run_all(Runner{toolchain_, emulator_, core_}, {networks, inputs, bytes}, take);
  return made;
}

ProgramSize Profiler::size(const Int8Network& network) const {
  const Runner runner{toolchain_, emulator_, core_};
  const Firmware firmware = runner.build({&network, 1}, /*has_marks=*/false).firmware;
  const ElfSymbol* const arena = firmware.elf.find(network.name + "_arena");
  return {arena == nullptr ? 0 : arena->bytes, firmware.ram_bytes(), firmware.rom_bytes()};
}

}  // namespace thimble
