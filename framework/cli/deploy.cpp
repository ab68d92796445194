#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/found_boxes.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/onnx.hpp>
#include <thimble/emulate/profile.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/trained_network.hpp>

#include "calibration_samples.hpp"
#include "chosen_network.hpp"
#include "cli.hpp"
#include "host_check.hpp"

namespace thimble::cli {
namespace {

/// Words of C, and headers that a file NAME.h would hide.
constexpr std::array kTaken{
    "assert",  "auto",    "break",   "case",   "char",     "complex", "const",    "continue",
    "ctype",   "default", "do",      "double", "else",     "enum",    "errno",    "extern",
    "fenv",    "float",   "for",     "goto",   "if",       "inline",  "int",      "inttypes",
    "iso646",  "limits",  "locale",  "long",   "main",     "math",    "register", "restrict",
    "return",  "setjmp",  "short",   "signal", "signed",   "sizeof",  "static",   "stdarg",
    "stdbool", "stddef",  "stdint",  "stdio",  "stdlib",   "string",  "struct",   "switch",
    "tgmath",  "time",    "typedef", "union",  "unsigned", "void",    "volatile", "wchar",
    "wctype",  "while"};

void require_c_name(const std::string& name) {
  if (std::ranges::find(kTaken, name) != kTaken.end())
    throw InputError{in_quotes(name) + " is a word or a header of C",
                     "take another name: --name my_network"};
  const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  constexpr std::size_t kLongest = 63;  // letters of a name that every C compiler looks at
  if (!name.empty() && name.size() <= kLongest && std::ranges::all_of(name, fits) &&
      std::isdigit(name[0]) == 0)
    return;
  throw InputError{in_quotes(name) + " is no name for a network",
                   "letters, digits and _, 63 at most, make a C identifier: --name my_network"};
}

void require_folder(const std::filesystem::path& folder) {
  std::error_code unreachable;  // then it cannot be made either
  if (std::filesystem::exists(folder, unreachable) && !std::filesystem::is_directory(folder))
    throw InputError{"'--output " + folder.string() + "' is a file", "name a folder"};
}

/// The largest output is a class, unless outputs are a map.
void print_deviation(const Deviation& deviation, std::int64_t samples, const Shape& last) {
  fmt::print("  int8 against float on {} samples: outputs {:.1f} % off, {:.1f} % at most", samples,
             100 * deviation.mean_error, 100 * deviation.largest_error);
  if (last.pixels() == 1) fmt::print("; the same class in {:.1f} %", 100 * deviation.equal_argmax);
  fmt::print("\n");
}

/// Of the whole test part, as the training's table has them; drawn weights have none.
void print_metrics(const TrainedNetwork& trained, const Task* task) {
  if (task == nullptr || trained.learned.metrics.empty()) return;
  const std::string metric = task->metrics().front();
  fmt::print("  on the test part: {} {} {:.2f}", trained.form(), metric,
             trained.learned.metrics.front());
  if (trained.board && !trained.board->learned.metrics.empty())
    fmt::print(", int8 {} {:.2f}", metric, trained.board->learned.metrics.front());
  fmt::print("; by class and by layer: thimble evaluate --output FOLDER\n");
}

std::string c_array(const char* name, std::span<const std::int8_t> values) {
  std::string text = fmt::format("static const int8_t {}[{}] = {{", name, values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    text += fmt::format("{}{},", i % 20 == 0 ? "\n  " : " ", values[i]);
  return text + "\n};\n\n";
}

/// What a program compares boxes with, and how.
struct BoxTest {
  std::string expected;
  std::string comparison;
};

BoxTest box_test(const Int8Network& network, std::span<const std::int8_t> output) {
  if (!network.boxes) return {};
  const auto boxes = found_boxes(network, output);
  BoxTest made;
  made.comparison =
      fmt::format("  const struct thimble_box *found;\n  if ({}_boxes(&found) != {}) return 1;\n",
                  network.name, boxes.size());
  if (boxes.empty()) return made;
  made.expected = "static const struct thimble_box boxes[] = {";
  for (const FoundBox& box : boxes)
    made.expected += fmt::format("\n  {{{}, {}, {}, {}, {}, {}}},", box.left, box.top, box.right,
                                 box.bottom, box.score, box.label);
  made.expected += "\n};\n\n";
  made.comparison += "  if (memcmp(found, boxes, sizeof boxes) != 0) return 1;\n";
  return made;
}

/// A program that runs the network on one sample and compares with the reference.
std::string self_test(const Int8Network& network, std::span<const std::int8_t> input,
                      std::span<const std::int8_t> output) {
  const BoxTest boxes = box_test(network, output);
  return fmt::format(
      "/* Returns 0 when {0} computes on this machine what it should. */\n"
      "#include <string.h>\n\n#include \"{0}.h\"\n\n{1}{2}{3}"
      "int main(void) {{\n"
      "  memcpy({0}_input(), input, sizeof input);\n"
      "  {0}_run();\n{4}"
      "  return memcmp({0}_output(), expected, sizeof expected) != 0;\n"
      "}}\n",
      network.name, c_array("input", input), c_array("expected", output), boxes.expected,
      boxes.comparison);
}

/// What is written is right nevertheless: it may be meant for another board.
void warn_of_size(const Cost& cost, const Target& target) {
  const auto warn = [&](const char* memory, double bytes, std::int64_t there) {
    if (bytes > static_cast<double>(there))
      fmt::print(stderr, "warning: it does not fit on {}: {:.0f} bytes of {}, {} are there\n",
                 target.name, bytes, memory, there);
  };
  warn("RAM", cost.ram_bytes.value, target.ram_bytes);
  warn("ROM", cost.rom_bytes.value, target.rom_bytes);
}

/// Likewise, of all limits but the board's own. What a training has pruned is less than is said.
void warn_of_limits(const ChosenNetwork& chosen, const TrainedNetwork& trained) {
  if (!trained.kept_channels.empty()) return;
  ScoringSetup setup = chosen.study().scoring();
  if (setup.hardware != nullptr) {
    const Target& board = setup.hardware->target();
    std::erase_if(setup.limits, [&](const Limit& limit) {
      return limit.most == static_cast<double>(board.ram_bytes) ||
             limit.most == static_cast<double>(board.rom_bytes);
    });
  }
  const Scoring scoring{std::move(setup)};
  if (const Evaluation network = scoring.cost(chosen.genotype); !network.excess.empty())
    fmt::print(stderr, "warning: it is beyond the limits of the experiment: {}\n", network.excess);
}

void print_cost(const Study& study, const Graph& graph) {
  const Cost cost = study.hardware->cost(graph);
  const Target& target = study.hardware->target();
  if (!cost.unsupported.empty()) {
    fmt::print(stderr, "warning: {} cannot run it: {}\n", target.name, cost.unsupported);
    return;
  }
  warn_of_size(cost, target);
  const auto memory = [](const Figure& bytes, std::int64_t of) {
    return fmt::format("{:.1f} KiB ({}; {:.0f} % of {} KiB)", bytes.value / 1024,
                       error_text({bytes}), 100 * bytes.value / static_cast<double>(of), of / 1024);
  };
  fmt::print("  {}: latency {:.2f} ms ({}), RAM {}, ROM {}", target.name, cost.latency_ms.value,
             error_text({cost.latency_ms}), memory(cost.ram_bytes, target.ram_bytes),
             memory(cost.rom_bytes, target.rom_bytes));
  if (std::isfinite(cost.energy_mj.value))
    fmt::print(", energy {:.3f} mJ ({})", cost.energy_mj.value, error_text({cost.energy_mj}));
  fmt::print("\n  {} on {}\n",
             target.runtime == own_kernels() ? "latency"
                                             : "these are not of the program written here, but",
             provenance_text(target, cost.latency_ms));
}

/// Runs the first samples in the emulator; a value that is not the reference's is an error there.
void verify(const Profiler& profiler, const Int8Network& network, const at::Tensor& images) {
  constexpr std::int64_t kSamples = 4;
  const std::int64_t count = std::min(kSamples, images.size(0));
  Execution execution;
  for (std::int64_t i = 0; i < count; ++i)
    execution = profiler.execute(network, quantised(images[i], network.tensor(0).quantisation));
  const ProgramSize size = profiler.size(network);
  fmt::print(
      "  executed on an emulated {} with {} samples: {} instructions an inference (gcc {} {}), "
      "every value as the reference has it\n"
      "  program: ROM {:.1f} KiB, RAM {:.1f} KiB: {:.1f} KiB (arena {:.1f} KiB) and {} bytes of "
      "stack\n",
      name_of(profiler.core()), count, execution.instructions, profiler.compiler_version(),
      FirmwareOptions{}.optimisation, static_cast<double>(size.rom_bytes) / 1024,
      static_cast<double>(size.ram_bytes + execution.stack_bytes) / 1024,
      static_cast<double>(size.ram_bytes) / 1024, static_cast<double>(size.arena_bytes) / 1024,
      execution.stack_bytes);
  if (!network.boxes) return;
  Int8Network without = network;
  without.boxes.reset();
  const ProgramSize less = profiler.size(without);
  fmt::print(
      "  of that, to find boxes: {} bytes of ROM, {} of RAM; they are the reference's, too\n",
      size.rom_bytes - less.rom_bytes, size.ram_bytes - less.ram_bytes);
}

void verify_on_host(const Int8Network& network, const CSource& source, const Study& study) {
  const HostCheck found = check_on_host(network, source, study);
  fmt::print("  executed on this machine with all {} test samples: ", found.samples);
  if (network.boxes) fmt::print("{} boxes and ", found.boxes);
  fmt::print("every value as the reference has it\n");
}

const Study& study_to_deploy(const LoadedExperiment& experiment) {
  const Study& study = experiment.studies.front();
  if (study.dataset == nullptr)
    throw InputError{"int8 ranges are calibrated on data, and this experiment names no dataset",
                     "add one: 'dataset={use: synthetic}'"};
  return study;
}

bool is_drawn(const ChosenNetwork& chosen, const DeployArguments& arguments) {
  return arguments.is_drawn || !chosen.weights;
}

/// Drawn weights tell what a network costs; nobody should take them for a network that works.
TrainedNetwork weights_for(const ChosenNetwork& chosen, const DeployArguments& arguments) {
  if (arguments.network && !arguments.is_drawn && !chosen.weights)
    throw InputError{
        fmt::format("network {} was not trained in this run", *arguments.network),
        "take drawn weights with --drawn; or add 'train' to its experiment and run that "
        "with --resume. Where it was to be trained, trained.csv says why it failed"};
  if (!is_drawn(chosen, arguments)) return read_trained(chosen.graph, *chosen.weights);
  TrainedNetwork drawn{Network{chosen.graph}};
  drawn.network.initialise(Init::kaiming_normal_fan_out, chosen.study().seed, "deploy");
  return drawn;
}

}  // namespace

Core parse_core(const std::string& text) {
  if (const auto core = core_of(text)) return *core;
  std::vector<std::string> known;
  for (const Core core : kCores) known.emplace_back(name_of(core));
  throw InputError{"no core " + in_quotes(text) + did_you_mean(text, known),
                   "cores are " + join(known)};
}

int deploy(const DeployArguments& arguments, const World& world) {
  use_single_threaded_math();
  require_c_name(arguments.name);
  require_folder(arguments.output);
  std::optional<Profiler> profiler;
  const bool is_on_host = arguments.verify == kHost;
  if (!arguments.verify.empty() && !is_on_host) profiler.emplace(parse_core(arguments.verify));
  const ChosenNetwork chosen = chosen_network(arguments, world);
  const Study& study = study_to_deploy(chosen.experiment);
  const TrainedNetwork trained = weights_for(chosen, arguments);
  const Samples samples = calibration_samples(study, chosen.graph.node(0).shape);
  const FloatNetwork board = board_network(trained, samples.images);
  Int8Network network = lower_folded(board);
  network.name = arguments.name;
  if (study.task != nullptr) network.boxes = study.task->box_decoder(study.dataset->describe());
  const CSource source = generate_c(network);
  const auto input = quantised(samples.images[0], network.tensor(0).quantisation);
  const auto output = run_reference(network, input)[static_cast<std::size_t>(network.output)];

  const std::filesystem::path folder = arguments.output;
  const auto named = [&](const char* ending) { return folder / (network.name + ending); };
  const std::string test = self_test(network, input, output);
  const std::string onnx = onnx_of(calibrated(trained.network, samples.images));
  const std::string int8_onnx = onnx_of(network);
  const MadeFolder made{folder};
  write_files({{named(".c"), source.source},
               {named(".h"), source.header},
               {named("_test.c"), test},
               {named(".onnx"), onnx},
               {named("_int8.onnx"), int8_onnx}});
  fmt::print("{}\n", chosen.arch);
  if (is_drawn(chosen, arguments)) fmt::print("  remark: the weights are drawn, not trained\n");
  remark_on_training(trained, study);
  print_metrics(trained, study.task.get());
  print_deviation(deviation_of(network, network_of(board), samples.images), samples.images.size(0),
                  network.tensor(network.output).shape);
  warn_of_limits(chosen, trained);
  if (study.hardware != nullptr) print_cost(study, trained.network.graph());
  fmt::print("  arena {} bytes (at least {} are needed at one time), constants {} bytes\n",
             source.plan.arena_bytes, source.plan.lower_bound_bytes, source.constant_bytes);
  if (profiler) verify(*profiler, network, samples.images);
  if (is_on_host) verify_on_host(network, source, study);
  for (const char* const ending : {".c", ".h", "_test.c", ".onnx", "_int8.onnx"})
    fmt::print("{}\n", named(ending).string());
  return 0;
}

}  // namespace thimble::cli
