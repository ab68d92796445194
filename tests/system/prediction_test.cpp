// What the table back end adds up from single operators, against whole networks as programs: time,
// ROM, RAM.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thimble/core/files.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/table_hardware.hpp>
#include <thimble/search_space.hpp>
#include <thimble/train/train_network.hpp>
#include <thimble/train/trained_network.hpp>

#include "support/mlperf_tiny.hpp"
#include "support/on_core.hpp"
#include "support/random_networks.hpp"
#include "support/training.hpp"
#include "support/world.hpp"

namespace thimble::prediction_test {
namespace {

Board board_named(const std::string& id) {
  return read_board(board_file(id, installed_prefix() / "share" / "thimble"));
}

/// A board with the core. None of ours has an m3 or an m55; their firmware was measured like that
/// of the others.
Board board_with(Core core) {
  switch (core) {
    case Core::m4: return board_named("nucleo_f446re");
    case Core::m7: return board_named("nucleo_h743zi");
    case Core::m33: return board_named("nucleo_l552zeq");
    case Core::m3:
    case Core::m55: break;
  }
  Board made = board_named("nucleo_l552zeq");
  made.core = name_of(core);
  made.counted->fixed_rom_bytes = 1486;
  return made;
}

/// Every operator of some networks, counted on its own.
LatencyTable counted_table(const Profiler& profiler, const std::vector<Int8Network>& networks) {
  std::vector<OpShape> ops;
  for (const Int8Network& network : networks)
    for (const Int8Layer& layer : network.layers) {
      OpShape op = op_shape(network, layer);
      if (std::ranges::find(ops, op) == ops.end()) ops.push_back(std::move(op));
    }
  LatencyTable table;
  for (const OpRow& row : counted_rows(profiler, ops).rows) table.add(row);
  return table;
}

struct Drawn {
  std::vector<Graph> graphs;
  test::Int8Runs runs;

  void add(const Graph& graph) {
    runs.add(graph, fmt::format("net{}", graphs.size()));
    graphs.push_back(graph);
  }
};

using Prediction = test::OnCore;

TEST_P(Prediction, OfMemoryIsWhatTheProgramTakes) {
  Drawn drawn;
  for (const auto& network : test::mlperf_tiny()) drawn.add(network.graph);
  drawn.add(test::random_cell(0, 8, 16));
  drawn.add(test::random_time_series(0));
  const auto& [networks, inputs] = drawn.runs;
  const TableHardware table{board_with(GetParam()),
                            counted_table(*profiler, networks),
                            {.on_miss = OnMiss::refuse},
                            scratch_bytes};
  const double stack = static_cast<double>(table.target().fixed_ram_bytes);
  double worst_rom = 0;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    SCOPED_TRACE(i);
    const Cost cost = table.cost(drawn.graphs[i]);
    ASSERT_EQ(cost.unsupported, "");
    const ProgramSize size = profiler->size(networks[i]);
    const double rom_error = cost.rom_bytes.value / static_cast<double>(size.rom_bytes) - 1;
    EXPECT_NEAR(rom_error, 0, 0.02);
    EXPECT_EQ(cost.rom_bytes.origin, Origin::counted);
    worst_rom = std::max(worst_rom, std::abs(rom_error));

    const auto painted = profiler->execute(networks[i], inputs[i]).stack_bytes;
    const double ram = static_cast<double>(size.ram_bytes + painted);
    EXPECT_EQ(cost.ram_bytes.value - stack, static_cast<double>(size.arena_bytes));
    EXPECT_EQ(size.ram_bytes, size.arena_bytes) << "generated C has no other variables";
    // Never too little; too much at most by a stack that only convolutions need.
    EXPECT_GE(cost.ram_bytes.value, ram);
    EXPECT_LE(cost.ram_bytes.value, ram + std::max(0.02 * ram, 0.7 * stack));
  }
  fmt::print("{}: ROM of {} networks within {:.2f} %\n", name_of(GetParam()), networks.size(),
             100 * worst_rom);
}

INSTANTIATE_TEST_SUITE_P(Cores, Prediction, ::testing::ValuesIn(kCores), test::core_name);

/// A line through points, and how well it fits.
struct Line {
  Line(const std::vector<double>& x, const std::vector<double>& y) {
    const auto n = static_cast<double>(x.size());
    const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
    const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
    double xx = 0;
    double xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      xx += (x[i] - mean_x) * (x[i] - mean_x);
      xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    slope = xy / xx;
    offset = mean_y - slope * mean_x;
  }

  std::vector<double> at(const std::vector<double>& x) const {
    std::vector<double> y;
    for (const double value : x) y.push_back(offset + slope * value);
    return y;
  }

  double slope = 0;
  double offset = 0;
};

/// Of a prediction.
struct Quality {
  Quality(const std::vector<double>& predicted, const std::vector<double>& truth) {
    const auto n = static_cast<double>(truth.size());
    const double mean = std::accumulate(truth.begin(), truth.end(), 0.0) / n;
    double rest = 0;
    double all = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const double error = std::abs(predicted[i] - truth[i]);
      rest += error * error;
      all += (truth[i] - mean) * (truth[i] - mean);
      mean_error += error / n;
      worst_relative = std::max(worst_relative, error / truth[i]);
    }
    r2 = 1 - rest / all;
  }

  double r2 = 0;
  double mean_error = 0;
  double worst_relative = 0;
};

void print(const char* what, const Quality& quality) {
  fmt::print("  {:<20} R2 {:.6f}, mean error {:.4f} ms, worst {:.3f} %\n", what, quality.r2,
             quality.mean_error, 100 * quality.worst_relative);
}

/// Half of them images, half of them time series.
Drawn drawn_networks() {
  Drawn drawn;
  for (std::uint64_t i = 0; i < test::drawn_count(40); ++i)
    drawn.add(i % 2 == 0 ? test::random_cell(i, 2 + static_cast<int>(i / 2 % 7), 8 + 8 * (i % 3))
                         : test::random_time_series(i));
  return drawn;
}

class PredictionOfTime : public Prediction {};

TEST_P(PredictionOfTime, IsWhatTheNetworkExecutes) {
  const Drawn drawn = drawn_networks();
  const auto& [networks, inputs] = drawn.runs;
  const Board board = board_with(GetParam());
  const TableHardware table{
      board, counted_table(*profiler, networks), {.on_miss = OnMiss::refuse}, scratch_bytes};
  const auto executions = profiler->execute(networks, inputs);
  std::vector<double> macs_of;
  std::vector<double> predicted;
  std::vector<double> executed;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    double cycles = board.counted->inference_cycles;
    for (std::size_t layer = 0; layer < networks[i].layers.size(); ++layer)
      cycles += board.counted->cpi_of(networks[i].layers[layer].kernel).value *
                static_cast<double>(executions[i].layer_instructions[layer]);
    executed.push_back(cycles * board.ms_per_cycle());
    predicted.push_back(table.cost(drawn.graphs[i]).latency_ms.value);
    macs_of.push_back(static_cast<double>(macs(deployed(drawn.graphs[i]))));
  }
  const Quality by_table{predicted, executed};
  const Quality by_macs{Line{macs_of, executed}.at(macs_of), executed};
  const auto [least, most] = std::ranges::minmax(executed);
  fmt::print("{}: {} networks of {:.2f} to {:.1f} ms\n", board.name, networks.size(), least, most);
  print("sum of operators", by_table);
  print("line through MACs", by_macs);
  EXPECT_GE(by_table.r2, 0.9999);
  EXPECT_LE(by_table.worst_relative, 0.005);
  EXPECT_LT(by_macs.r2, by_table.r2);
}

INSTANTIATE_TEST_SUITE_P(Boards, PredictionOfTime, ::testing::Values(Core::m4, Core::m7, Core::m33),
                         test::core_name);

class Limits : public Prediction {};

/// Networks that a search takes for feasible by the table alone, none of whose operators it has:
/// their programs keep the limits, and take the memory that was predicted.
TEST_P(Limits, AreKeptByThePrograms) {
  constexpr std::int64_t kRam = 262144, kRom = 1048576, kMacs = 200'000'000;
  PluginLoader loader = testing::plugins();
  const auto space = testing::make<SearchSpace>(loader, "superblocks", "{height: 96, width: 96}");
  const auto hardware =
      testing::make<Hardware>(loader, "table", "{board: imxrt1062_evk, on_miss: fit}");
  const Board board = board_named("imxrt1062_evk");
  const std::int64_t stack = board.counted->fixed_ram_bytes;
  Random random{1};
  std::vector<double> predicted, executed;
  while (executed.size() < test::drawn_count(3)) {
    const Genotype genotype = random_genotype(space->decisions(), random);
    SCOPED_TRACE(space->encode(genotype));
    const Graph graph = space->build(genotype);
    if (!is_connected(graph) || macs(graph) > kMacs) continue;
    const Cost cost = hardware->cost(graph);
    if (!cost.unsupported.empty() || cost.ram_bytes.value > kRam || cost.rom_bytes.value > kRom)
      continue;
    test::Int8Runs runs;
    runs.add(graph, fmt::format("net{}", executed.size()));
    const Int8Network& network = runs.networks[0];
    const ProgramSize size = profiler->size(network);
    EXPECT_LE(size.ram_bytes + stack, kRam);
    EXPECT_LE(size.rom_bytes, kRom);
    EXPECT_EQ(cost.ram_bytes.value, static_cast<double>(size.arena_bytes + stack));
    EXPECT_EQ(cost.rom_bytes.origin, Origin::counted);
    EXPECT_NEAR(cost.rom_bytes.value / static_cast<double>(size.rom_bytes), 1, 0.02);
    const Execution execution = profiler->execute(network, runs.inputs[0]);
    EXPECT_LE(execution.stack_bytes, stack);
    double cycles = board.counted->inference_cycles;
    for (std::size_t layer = 0; layer < network.layers.size(); ++layer)
      cycles += board.counted->cpi_of(network.layers[layer].kernel).value *
                static_cast<double>(execution.layer_instructions[layer]);
    executed.push_back(cycles * board.ms_per_cycle());
    predicted.push_back(cost.latency_ms.value);
  }
  const Quality quality{predicted, executed};
  print("fitted operators", quality);
  EXPECT_LT(quality.worst_relative, 0.25);
}

/// What a search costed before any training is what the network takes that was trained with all of
/// its channels, pruned to the decisions, and quantised.
TEST_P(Limits, AreThoseOfThePrunedAndTrainedNetwork) {
  constexpr Shape kImage{3, 32, 32};
  PluginLoader loader = testing::plugins();
  const auto space = testing::make<SearchSpace>(
      loader, "superblocks",
      "{families: [mbednet, squeezenet], height: 32, width: 32, classes: 4}");
  const auto hardware =
      testing::make<Hardware>(loader, "table", "{board: imxrt1062_evk, on_miss: fit}");
  const std::int64_t stack = board_named("imxrt1062_evk").counted->fixed_ram_bytes;
  const Pictures data{64, true, 1, kImage};
  const Telling task;
  const TemporaryFolder folder;
  for (const char* const family : {"mbednet", "squeezenet"}) {
    SCOPED_TRACE(family);
    Genotype genotype = space->decode(family);
    genotype[1] = 0.25;
    for (std::size_t group = 0; group < 4; ++group)
      genotype[4 + 3 * group] = 0.2 + 0.1 * static_cast<double>(group);
    const Graph expected = space->build(genotype);
    const Cost cost = hardware->cost(expected);
    const Unpruned whole = space->unpruned(genotype).value();
    EXPECT_GT(params(whole.graph), params(expected));

    TrainingOrder order;
    order.graph = &whole.graph;
    order.dataset = &data;
    order.task = &task;
    order.recipe = short_recipe(2);
    order.recipe.gradient_clip = 0.5;
    order.recipe.prune = Prune{.from = PruneFrom::decisions, .decided = whole.sparsity};
    order.recipe.quantise = Quantise{.samples = 64};
    order.folder = folder.path() / family;
    const TrainingOutcome outcome = train_network(order);
    ASSERT_EQ(outcome.failure, "");
    const TrainedNetwork trained = read_trained(expected, outcome.weights);
    const Graph& graph = trained.network.graph();
    ASSERT_EQ(graph.size(), expected.size());
    for (NodeId id = 0; id < graph.size(); ++id) {
      EXPECT_EQ(graph.name(id), expected.name(id));
      EXPECT_EQ(graph.node(id).shape, expected.node(id).shape) << graph.name(id);
    }
    Int8Network network = lower_folded(trained.board->real);
    network.name = family;
    const ProgramSize size = profiler->size(network);
    EXPECT_EQ(cost.ram_bytes.value, static_cast<double>(size.arena_bytes + stack));
    EXPECT_EQ(cost.rom_bytes.origin, Origin::counted);
    EXPECT_NEAR(cost.rom_bytes.value / static_cast<double>(size.rom_bytes), 1, 0.02);
  }
}

INSTANTIATE_TEST_SUITE_P(Boards, Limits, ::testing::Values(Core::m7), test::core_name);

}  // namespace
}  // namespace thimble::prediction_test
