// Predictions against what others measured on real chips. The data are not ours to ship: they are
// looked for in the folder that THIMBLE_TEST_DATA names.

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <support/world.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/emulate/profile.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/calibration.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/import_rows.hpp>
#include <thimble/hardware/op_costs.hpp>
#include <thimble/hardware/op_fit.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/search_space.hpp>

namespace thimble::silicon_test {
namespace {

Board shipped(const std::string& board) {
  return read_board(board_file(board, installed_prefix() / "share" / "thimble"));
}

CsvTable csv(const std::string& name) {
  const auto file = testing::test_data() / name;
  return parse_csv(read_file(file), file.string());
}

/// A row's cells by column.
class Row {
 public:
  Row(const CsvTable& table, const std::vector<CsvCell>& cells) : table_{table}, cells_{cells} {}
  const std::string& operator[](const std::string& column) const {
    return cells_[table_.column(column)].text;
  }
  double number(const std::string& column) const { return parse_number((*this)[column]).value(); }

 private:
  const CsvTable& table_;
  const std::vector<CsvCell>& cells_;
};

/// What ± says: so much of what is measured lies within.
constexpr double kClaimed = 0.95;

double share_within(const std::vector<double>& errors, double most) {
  const auto within =
      std::ranges::count_if(errors, [&](double error) { return std::abs(error) <= most; });
  return static_cast<double>(within) / static_cast<double>(errors.size());
}

struct Chip {
  const char* board;
  const char* core;
  const char* cycles;
  const char* instructions;
  std::size_t n;
};

class SingleConvolutions : public ::testing::TestWithParam<Chip> {};

TEST_P(SingleConvolutions, AreWithinTheErrorOfOneCpi) {
  const std::string name = "mcu_latency/per_op_conv2d.csv";
  THIMBLE_NEEDS_DATA(name);
  const Chip& chip = GetParam();
  const LatencyTable table =
      import_convolutions(testing::test_data() / name, chip.cycles, chip.instructions,
                          {chip.board, chip.core, "k", "", ""});
  const Board board = shipped(chip.board);
  const auto samples = calibration_samples(board, table, table);
  ASSERT_EQ(samples.size(), chip.n);

  const CpiFit fit = fit_cpi("conv", samples);
  EXPECT_LE(fit.mean_error, 0.035);
  EXPECT_LE(fit.p95_error, 0.11);
  EXPECT_NO_THROW(require_good_fits(calibrate(samples)));

  const CyclesPerInstruction& stated = board.counted->cpi_of(Kernel::conv);
  std::vector<double> errors;
  for (const CalibrationSample& sample : samples)
    errors.push_back(sample.cycles / (stated.value * sample.instructions) - 1);
  EXPECT_GE(share_within(errors, stated.relative_error), kClaimed) << "with the board file's CPI";
  EXPECT_LE(fit.p95_error, stated.relative_error) << "each by the fit to all others";
  EXPECT_GE(1.25 * fit.p95_error, stated.relative_error) << "or it would claim too little";
  RecordProperty("cpi", std::to_string(fit.cpi));
  RecordProperty("mean_error", std::to_string(fit.mean_error));
}

INSTANTIATE_TEST_SUITE_P(
    Chips, SingleConvolutions,
    ::testing::Values(Chip{"nucleo_f446re", "m4", "cycles_f446re", "qemu_insns_m4_O2", 1407},
                      Chip{"nicla_sense_me", "m4", "cycles_nrf52832", "qemu_insns_m4_O2", 1931},
                      Chip{"nucleo_l552zeq", "m33", "cycles_l552ze_2022", "qemu_insns_m33_O2",
                           2076}),
    [](const auto& chip) { return std::string{chip.param.board}; });

/// MLPerf Tiny networks under CMSIS-NN: instructions of the same kernels times the board's CPI.
struct Submission {
  const char* board;      ///< ours
  const char* published;  ///< its name in published.csv
  const char* core;
  const char* kernels;
  const char* flags;
  double ratio_error;  ///< of two convolutional networks, as docs/what-to-write-in-a-paper.md says
};

class WholeNetworks : public ::testing::TestWithParam<Submission> {};

/// Convolutions and fully connected layers have figures of their own on some boards.
double predicted_cycles(const CountedCosts& costs, const Row& counts) {
  const double linear = counts.number("insns_fully_connected");
  const double conv = counts.number("insns_conv2d");
  const double rest = counts.number("insns_total") - linear - conv;
  return linear * costs.cpi_of(Kernel::linear).value + conv * costs.cpi_of(Kernel::conv).value +
         rest * costs.cpi_of(Kernel::add).value;
}

double stated_error(const CountedCosts& costs, const Row& counts) {
  const double linear = counts.number("insns_fully_connected") / counts.number("insns_total");
  return linear * costs.cpi_of(Kernel::linear).relative_error +
         (1 - linear) * costs.cpi_of(Kernel::conv).relative_error;
}

constexpr const char* kFullyConnected = "mlperf_tiny_ad_autoencoder";

/// Cycles an instruction of all other networks; without the fully connected one where the board
/// has a figure for it.
double mean_of_others(const std::map<std::string, double>& cpis, const std::string& left_out,
                      bool is_linear_apart) {
  double sum = 0;
  int count = 0;
  for (const auto& [network, cpi] : cpis) {
    if (network == left_out || (is_linear_apart && network == kFullyConnected)) continue;
    sum += cpi;
    ++count;
  }
  return sum / count;
}

TEST_P(WholeNetworks, AreWithinTheStatedError) {
  THIMBLE_NEEDS_DATA("mcu_latency/published.csv");
  const Submission& submission = GetParam();
  const CountedCosts costs = shipped(submission.board).counted.value();
  const CsvTable counted = csv("mcu_latency/qemu_network_insns.csv");
  const CsvTable published = csv("mcu_latency/published.csv");
  int compared = 0;
  std::map<std::string, double> cpis, stated;  // by network
  for (const auto& cells : published.rows) {
    const Row measured{published, cells};
    if (measured["board"] != submission.published ||
        measured["runtime"].find("CMSIS-NN") == std::string::npos)
      continue;
    const double cycles = measured.number("latency_ms") * measured.number("freq_mhz") * 1000;
    for (const auto& other : counted.rows) {
      const Row counts{counted, other};
      if (counts["network"] != measured["model"] || counts["core"] != submission.core ||
          !counts["kernels"].starts_with(submission.kernels) || counts["opt"] != submission.flags)
        continue;
      const double error = cycles / predicted_cycles(costs, counts) - 1;
      EXPECT_LE(std::abs(error), stated_error(costs, counts))
          << measured["model"] << ' ' << measured["round"] << ": " << 100 * error << " %";
      ++compared;
      cpis[measured["model"]] = cycles / counts.number("insns_total");
      stated[measured["model"]] = stated_error(costs, counts);
    }
  }
  EXPECT_GT(compared, 0);
  if (cpis.size() < 3) return;  // of a single network the board file says that it is a guess
  for (const auto& [one, a] : cpis)
    for (const auto& [other, b] : cpis)
      if (one != kFullyConnected && other != kFullyConnected) {
        EXPECT_LE(a / b - 1, submission.ratio_error) << one << " to " << other;
      }
  for (const auto& [network, cpi] : cpis) {
    const double error = cpi / mean_of_others(cpis, network, costs.cpi.contains("linear")) - 1;
    EXPECT_LE(std::abs(error), stated[network])
        << network << " by the others: " << 100 * error << " %";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Boards, WholeNetworks,
    ::testing::Values(
        Submission{"nucleo_l4r5zi", "NUCLEO-L4R5ZI", "cortex-m4", "CMSIS_5@51263182", "-O2", 0.045},
        Submission{"nrf5340_dk", "nRF5340 DK", "cortex-m33", "CMSIS_5@51263182", "-O2", 0.07},
        Submission{"ek_ra6m4", "EK-RA6M4", "cortex-m33", "CMSIS_5@51263182", "-O2", 0.21},
        Submission{"nucleo_h743zi", "STM32H743 (unspecified board)", "cortex-m7",
                   "CMSIS-NN@011bf32", "-Ofast", 0}),
    [](const auto& submission) { return std::string{submission.param.board}; });

/// NATS-Bench-MCU: networks of NAS-Bench-201 measured on an nRF5340 with a runtime that is not
/// ours.
class NatsBenchMcu : public ::testing::Test {
 protected:
  struct Network {
    Graph graph;
    double latency_ms = 0;
    double arena_bytes = 0;
    double rom_bytes = 0;
  };

  /// Without those that pass their input through: one latency for all of them says nothing.
  std::vector<Network> networks() {
    std::vector<Network> found;
    const auto space = testing::make<SearchSpace>(loader_, "nasbench201");
    const CsvTable table = csv(kFile);
    for (const auto& cells : table.rows) {
      const Row row{table, cells};
      Network network{space->build(space->decode(row["arch_str"])), 1000 * row.number("latency_s"),
                      1024 * row.number("arena_used_kb"), 1024 * row.number("rom_kb")};
      if (is_connected(network.graph)) found.push_back(std::move(network));
    }
    return found;
  }

  static constexpr const char* kFile = "nasbench201/mcu_nrf5340_sample.csv";
  PluginLoader loader_ = testing::plugins();
};

/// The shipped counts of the board's core; what they lack is counted in the emulator.
OpCosts counted_for(const Board& board) {
  const auto share = installed_prefix() / "share" / "thimble" / "tables";
  OpCostsOptions options;
  options.on_miss = OnMiss::profile;
  options.kernels = own_kernels();
  options.count = [core = *core_of(board.core)](std::span<const OpShape> ops) {
    return counted_rows(Profiler{core}, ops);
  };
  return {board, read_latency_table(share / (board.core + ".csv")), options};
}

/// Cycles of a network by kind of operator, and a constant.
std::vector<double> cycles_by_kind(const OpCosts& ops, const Graph& graph) {
  const Int8Network network = skeleton(deployed(graph));
  std::vector<double> cycles(kKernels.size() + 1, 0);
  cycles.back() = 1;
  const auto known = ops.of(network);
  for (std::size_t i = 0; i < known.size(); ++i)
    cycles[static_cast<std::size_t>(network.layers[i].kernel)] += known[i]->cycles.value;
  return cycles;
}

TEST_F(NatsBenchMcu, IsRankedByOurCountsAndExplainedByKinds) {
  THIMBLE_NEEDS_DATA(kFile);
  const Board board = shipped("nrf5340_dk");
  const OpCosts ops = counted_for(board);
  std::vector<std::vector<double>> kinds;
  std::vector<double> predicted;
  std::vector<double> measured;
  for (const Network& network : networks()) {
    kinds.push_back(cycles_by_kind(ops, network.graph));
    const double cycles = std::accumulate(kinds.back().begin(), kinds.back().end() - 1, 0.0);
    predicted.push_back(cycles * board.ms_per_cycle());
    measured.push_back(network.latency_ms);
  }
  ASSERT_GE(measured.size(), 60U);
  // Their runtime's ReLU takes some 300 cycles an element, ours 8: one CPI cannot know that.
  EXPECT_GE(spearman_rho(predicted, measured), 0.93);
  const RelativeFit fit = fit_relative(kinds, measured);
  EXPECT_LE(fit.mean_error, 0.04) << "of each network by a fit to the others";
  std::vector<double> fitted;
  for (const auto& cycles : kinds) fitted.push_back(fit.predict(cycles));
  EXPECT_GE(spearman_rho(fitted, measured), 0.967);
}

/// Latency of a network by what takes it: 3x3 and 1x1 convolutions, ReLUs, pools, sums, the rest.
std::vector<double> latency_by_kind(const Hardware& hardware, const Graph& network) {
  std::vector<double> kinds(6, 0);
  const Graph graph = deployed(network);
  for (const Node& node : graph.nodes()) {
    const std::size_t kind = node.op == Op::conv && node.kernel.height > 1 ? 0
                             : node.op == Op::conv                         ? 1
                             : node.op == Op::relu                         ? 2
                             : node.op == Op::avg_pool                     ? 3
                             : node.op == Op::add                          ? 4
                                                                           : 5;
    kinds[kind] += hardware.op_cost(graph, node).latency_ms;
  }
  kinds.back() += hardware.target().inference_latency_ms;
  return kinds;
}

/// The runtime that was measured is the one that the formula is of.
TEST_F(NatsBenchMcu, IsWithinTheIntervalsOfTheFormula) {
  THIMBLE_NEEDS_DATA(kFile);
  const auto hardware = testing::make<Hardware>(loader_, "analytic", "{board: nrf5340_dk}");
  EXPECT_THAT(hardware->target().runtime, ::testing::HasSubstr("NATS-Bench-MCU"));
  std::vector<std::vector<double>> kinds;
  std::vector<double> measured, errors;
  double least_stated = 1;
  for (const Network& network : networks()) {
    const Figure latency_ms = hardware->cost(network.graph).latency_ms;
    EXPECT_NE(latency_ms.origin, Origin::guessed);
    errors.push_back((network.latency_ms / latency_ms.value - 1) / latency_ms.relative_error);
    least_stated = std::min(least_stated, latency_ms.relative_error);
    kinds.push_back(latency_by_kind(*hardware, network.graph));
    measured.push_back(network.latency_ms);
  }
  EXPECT_GE(share_within(errors, 1), kClaimed);
  EXPECT_LE(fit_relative(kinds, measured).p95_error, least_stated) << "each by the others";
}

TEST_F(NatsBenchMcu, NeedsTheMemoryOfTheFormula) {
  THIMBLE_NEEDS_DATA(kFile);
  const auto hardware = testing::make<Hardware>(loader_, "analytic", "{board: nrf5340_dk}");
  const auto stack = static_cast<double>(hardware->target().fixed_ram_bytes);
  std::vector<double> ram_errors, rom_errors;
  for (const Network& network : networks()) {
    const Cost cost = hardware->cost(network.graph);
    EXPECT_EQ(cost.ram_bytes.origin, Origin::fitted);
    EXPECT_EQ(cost.rom_bytes.origin, Origin::fitted);
    const auto error = [](double measured, const Figure& stated) {
      return (measured / stated.value - 1) / stated.relative_error;
    };
    ram_errors.push_back(error(network.arena_bytes + stack, cost.ram_bytes));
    rom_errors.push_back(error(network.rom_bytes, cost.rom_bytes));
  }
  EXPECT_GE(share_within(ram_errors, 1), kClaimed);
  EXPECT_GE(share_within(rom_errors, 1), kClaimed);
}

/// Padding at both sides that gives as many outputs, or nothing.
std::optional<Extent> even_padding(const OpShape& op) {
  const auto along = [](int size, int window, int stride, int outputs) {
    int padding = 0;
    while (padding <= window && (size + 2 * padding - window) / stride + 1 != outputs) ++padding;
    return padding;
  };
  const Extent found{
      along(op.inputs[0].height, op.window.height, op.stride.height, op.output.height),
      along(op.inputs[0].width, op.window.width, op.stride.width, op.output.width)};
  if (found.height > op.window.height || found.width > op.window.width) return std::nullopt;
  return found;
}

class SingleOperators : public ::testing::TestWithParam<Chip> {};

/// TensorFlow Lite Micro's operators on the chip, which the formula is of.
TEST_P(SingleOperators, AreWithinTheIntervalsOfTheFormula) {
  const std::string name = "mcu_latency/per_op_conv2d.csv";
  THIMBLE_NEEDS_DATA(name);
  PluginLoader loader = testing::plugins();
  const Chip& chip = GetParam();
  const auto hardware =
      testing::make<Hardware>(loader, "analytic", std::string{"{board: "} + chip.board + "}");
  const double ms_per_cycle = shipped(chip.board).ms_per_cycle();
  const LatencyTable table =
      import_convolutions(testing::test_data() / name, chip.cycles, chip.instructions,
                          {chip.board, chip.core, "k", "", ""});
  std::vector<double> errors;
  for (const OpRow* const row : table.rows()) {
    if (!row->cycles) continue;
    Graph graph;
    const OpShape& op = row->op;
    const auto padding = even_padding(op);
    if (!padding) continue;  // TensorFlow pads at one side, which graphs do not
    graph.relu(graph.conv(graph.input(op.inputs[0]), {.out = op.output.channels,
                                                      .kernel = op.window,
                                                      .stride = op.stride,
                                                      .padding = *padding,
                                                      .bias = true}));
    const Graph ready = deployed(graph);
    const OpCost cost = hardware->op_cost(ready, ready.node(ready.output()));
    errors.push_back((*row->cycles * ms_per_cycle / cost.latency_ms - 1) / cost.relative_error);
  }
  EXPECT_GT(errors.size(), 9 * chip.n / 10);
  EXPECT_GE(share_within(errors, 1), kClaimed);
}

INSTANTIATE_TEST_SUITE_P(Chips, SingleOperators,
                         ::testing::Values(Chip{"nucleo_f446re", "m4", "cycles_f446re",
                                                "qemu_insns_m4_O2", 1407},
                                           Chip{"nucleo_l552zeq", "m33", "cycles_l552ze_2022",
                                                "qemu_insns_m33_O2", 2076}),
                         [](const auto& chip) { return std::string{chip.param.board}; });

}  // namespace
}  // namespace thimble::silicon_test
