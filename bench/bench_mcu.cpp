// Instructions that the generated C executes on emulated cores, single operators and whole
// networks, beside those of CMSIS-NN under the same compiler. They are exact: no timing, and no
// need for an idle machine. The networks' figures for CMSIS-NN are read from
// mcu_latency/qemu_network_insns.csv in the folder that THIMBLE_TEST_DATA names.

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <support/mlperf_tiny.hpp>
#include <support/random_networks.hpp>
#include <support/world.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/emulate/profile.hpp>

namespace {

using namespace thimble;  // NOLINT(google-build-using-namespace): a program of its own

struct Operator {
  const char* shape;
  std::map<Core, double> theirs;  ///< thousands, CMSIS-NN of 2026 (99f736a), gcc 12.2 -Ofast
};

const std::vector<Operator>& operators() {
  static const std::vector<Operator> all{
      {"conv 16x32x32 -> 16x32x32 window 3x3 stride 1x1 padding 1x1 groups 1",
       {{Core::m3, 7866}, {Core::m4, 5488}, {Core::m7, 5505}, {Core::m33, 5494}}},
      {"conv 3x32x32 -> 16x32x32 window 3x3 stride 1x1 padding 1x1 groups 1",
       {{Core::m3, 2409}, {Core::m4, 2134}, {Core::m7, 2152}, {Core::m33, 2123}}},
      {"conv 16x32x32 -> 16x32x32 window 1x1 stride 1x1 padding 0x0 groups 1",
       {{Core::m3, 1257}, {Core::m4, 1038}, {Core::m7, 1026}, {Core::m33, 1030}}},
      {"depthwise 16x32x32 -> 16x32x32 window 3x3 stride 1x1 padding 1x1 groups 16",
       {{Core::m3, 1517}, {Core::m4, 1364}, {Core::m7, 1344}, {Core::m33, 1342}}},
      {"avg_pool 16x32x32 -> 16x32x32 window 3x3 stride 1x1 padding 1x1 groups 1",
       {{Core::m3, 2798}, {Core::m4, 1276}, {Core::m7, 1275}, {Core::m33, 1275}}},
      {"linear 256x1x1 -> 64x1x1",
       {{Core::m3, 58}, {Core::m4, 34}, {Core::m7, 34}, {Core::m33, 34}}},
  };
  return all;
}

void compare_operators() {
  std::vector<OpShape> ops;
  for (const Operator& op : operators()) ops.push_back(op_shape_of(op.shape));
  fmt::print("Operators, thousands of instructions: thimble, CMSIS-NN, ratio\n");
  for (const Core core : {Core::m3, Core::m4, Core::m7, Core::m33}) {
    const Profiler profiler{core};
    const Profile profile = profiler.profile(ops);
    fmt::print("{}\n", profiler.conditions());
    for (std::size_t i = 0; i < ops.size(); ++i) {
      const double ours = static_cast<double>(profile.ops[i].instructions) / 1000;
      const double theirs = operators()[i].theirs.at(core);
      fmt::print("  {:<75} {:>7.0f} {:>6.0f}  {:.3f}\n", operators()[i].shape, ours, theirs,
                 ours / theirs);
    }
  }
}

/// Columns of CMSIS-NN's figures, and which of our layers do the same work.
struct Part {
  const char* column;
  std::vector<Kernel> kernels;
};

const std::vector<Part>& parts() {
  static const std::vector<Part> all{
      {"insns_conv2d", {Kernel::conv}},
      {"insns_depthwise", {Kernel::depthwise}},
      {"insns_fully_connected", {Kernel::linear}},
      {"insns_add", {Kernel::add}},
      {"insns_avgpool", {Kernel::mean, Kernel::avg_pool}},
      {"insns_softmax", {Kernel::softmax}},
  };
  return all;
}

std::int64_t instructions_of(const Execution& run, const Int8Network& network, const Part& part) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i)
    if (std::ranges::find(part.kernels, network.layers[i].kernel) != part.kernels.end())
      sum += run.layer_instructions[i];
  return sum;
}

using Row = std::vector<CsvCell>;

double count_in(const CsvTable& table, const Row& row, const char* column) {
  return static_cast<double>(parse_integer(row[table.column(column)].text).value());
}

/// CMSIS-NN's shortest run of a network on a core, or nullptr.
const Row* best_of(const CsvTable& table, const std::string& core, const std::string& network) {
  const Row* best = nullptr;
  for (const Row& row : table.rows) {
    const bool is_asked_for =
        row[table.column("core")].text == core && row[table.column("network")].text == network;
    if (is_asked_for && (best == nullptr || count_in(table, row, "insns_total") <
                                                count_in(table, *best, "insns_total")))
      best = &row;
  }
  return best;
}

void compare(const Execution& run, const Int8Network& network, const CsvTable& table,
             const Row& theirs) {
  const auto line = [](const std::string& what, double ours, double other) {
    fmt::print("    {:<22} {:>11.0f} {:>11.0f}  {:.3f}\n", what, ours, other, ours / other);
  };
  line("all", static_cast<double>(run.instructions), count_in(table, theirs, "insns_total"));
  for (const Part& part : parts())
    if (const auto ours = instructions_of(run, network, part); ours > 0)
      line(part.column + std::string{"insns_"}.size(), static_cast<double>(ours),
           count_in(table, theirs, part.column));
}

void print_layers(const Execution& run, const Int8Network& network) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const OpShape op = op_shape(network, network.layers[i]);
    fmt::print("      {:>9} {:>6.2f} a MAC  {}\n", run.layer_instructions[i],
               static_cast<double>(run.layer_instructions[i]) /
                   static_cast<double>(std::max<std::int64_t>(macs(op), 1)),
               to_string(op));
  }
}

void compare_networks(bool with_layers) {
  const auto file = thimble::testing::test_data() / "mcu_latency" / "qemu_network_insns.csv";
  if (!std::filesystem::exists(file)) {
    fmt::print("Networks: there is no '{}'\n", file.string());
    return;
  }
  std::string text = read_file(file);
  std::erase(text, '\r');
  const CsvTable table = parse_csv(text, file.string());
  test::Int8Runs runs;
  const auto networks = test::mlperf_tiny();
  for (const auto& network : networks) runs.add(network.graph, network.name);
  fmt::print("Networks, instructions: thimble, the best of CMSIS-NN's, ratio\n");
  for (const Core core : {Core::m4, Core::m7, Core::m33}) {
    const auto executions = Profiler{core}.execute(runs.networks, runs.inputs);
    for (std::size_t i = 0; i < networks.size(); ++i) {
      const Row* const theirs =
          best_of(table, std::string{"cortex-"} + name_of(core), networks[i].title);
      if (theirs == nullptr) continue;
      fmt::print("  {} {} ({} {})\n", name_of(core), networks[i].title,
                 (*theirs)[table.column("kernels")].text, (*theirs)[table.column("opt")].text);
      compare(executions[i], runs.networks[i], table, *theirs);
      if (with_layers) print_layers(executions[i], runs.networks[i]);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool with_layers = argc > 1 && std::string{argv[1]} == "--layers";
  compare_operators();
  compare_networks(with_layers);
}
