// Operators priced for a board: origins, errors, misses.

#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include <conformance/networks.hpp>
#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/figure_sum.hpp>
#include <thimble/hardware/op_costs.hpp>
#include <thimble/hardware/op_fit.hpp>

namespace thimble {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// An m4 with 2 cycles an instruction, 3 in additions.
Board board() {
  Board made;
  made.id = "mine";
  made.name = "My Board";
  made.core = "m4";
  made.clock_mhz = 100;
  made.ram_bytes = made.rom_bytes = 1 << 20;
  made.counted.emplace();
  made.counted->cpi["default"] = {2, 0.1, 5, Origin::measured, "test"};
  made.counted->cpi["add"] = {3, 0.2, 5, Origin::guessed, "test"};
  return made;
}

OpRow counted(const OpShape& op, double instructions) {
  OpRow row;
  row.op = op;
  row.target = "m4";
  row.kernels = "k";
  row.instructions = instructions;
  row.origin = Origin::counted;
  return row;
}

double instructions_of(const OpShape& op) {
  return 100.0 + static_cast<double>(op.output.elements());
}

std::vector<OpShape> ops_of(const Int8Network& network) {
  std::vector<OpShape> ops;
  for (const Int8Layer& layer : network.layers) ops.push_back(op_shape(network, layer));
  return ops;
}

Int8Network residual() { return skeleton(deployed(conformance::residual_network())); }

OpCostsOptions counting(std::atomic<int>& calls) {
  OpCostsOptions options;
  options.on_miss = OnMiss::profile;
  options.count = [&calls](std::span<const OpShape> ops) {
    ++calls;
    CountedRows made;
    for (const OpShape& op : ops) made.rows.push_back(counted(op, instructions_of(op)));
    return made;
  };
  return options;
}

TEST(FigureSum, AddsErrorsOfOneOriginAndSquaresOfSeveral) {
  FigureSum sum;
  sum.add({100, 0.1, Origin::counted});
  sum.add({200, 0.05, Origin::counted});
  sum.add({300, 0.05, Origin::measured});
  const Figure total = sum.total();
  EXPECT_EQ(total.value, 600);
  EXPECT_NEAR(total.relative_error, std::hypot(10 + 10, 15) / 600, 1e-12);
  EXPECT_EQ(total.origin, Origin::counted);
  EXPECT_EQ(FigureSum{}.total().relative_error, 0);
}

TEST(OpCosts, TakesMeasuredCyclesBeforeCountedInstructions) {
  const Int8Network network = residual();
  LatencyTable table;
  for (const OpShape& op : ops_of(network)) table.add(counted(op, 1000));
  OpRow measured = counted(ops_of(network)[0], 1);
  measured.instructions.reset();
  measured.target = "mine";
  measured.cycles = 777;
  measured.least = 700;
  measured.most = 787;
  measured.origin = Origin::measured;
  table.add(measured);
  const OpCosts costs{board(), table, {}};
  const auto known = costs.of(network);
  ASSERT_EQ(known.size(), network.layers.size());
  for (std::size_t i = 0; i < known.size(); ++i) {
    const Figure& cycles = known[i]->cycles;
    const OpShape op = op_shape(network, network.layers[i]);
    if (op == measured.op) {
      EXPECT_EQ(cycles.value, 777);
      EXPECT_NEAR(cycles.relative_error, 77.0 / 777, 1e-12);
      EXPECT_EQ(cycles.origin, Origin::measured);
    } else if (op.kernel == Kernel::add) {
      EXPECT_EQ(cycles.value, 3000);
      EXPECT_EQ(cycles.origin, Origin::guessed) << "no better than its CPI";
    } else {
      EXPECT_EQ(cycles.value, 2000);
      EXPECT_EQ(cycles.relative_error, 0.1);
      EXPECT_EQ(cycles.origin, Origin::counted);
    }
  }
}

TEST(OpCosts, LeavesOtherTargetsOutAndRefusesToMixKernels) {
  const OpShape op = op_shape_of("relu 4x4x4 -> 4x4x4");
  LatencyTable table;
  OpRow other = counted(op, 5);
  other.target = "m7";
  table.add(other);
  EXPECT_EQ((OpCosts{board(), table, {}}.size()), 0U);
  table.add(counted(op, 5));
  OpRow foreign = counted(op_shape_of("relu 8x4x4 -> 8x4x4"), 5);
  foreign.kernels = "others'";
  table.add(foreign);
  EXPECT_THROW((OpCosts{board(), table, {}}), InputError);
  OpCostsOptions options;
  options.kernels = "k";
  EXPECT_EQ((OpCosts{board(), table, options}.size()), 1U);
  Board bare = board();
  bare.counted.reset();
  EXPECT_THROW((OpCosts{bare, table, options}), InputError);
}

std::string refusal(const LatencyTable& table) {
  try {
    const OpCosts costs{board(), table, {}};
  } catch (const InputError& error) {
    return error.what();
  }
  return "it was taken";
}

TEST(OpCosts, RefusesToMixCompilersFlagsAndSetups) {
  const OpRow row = counted(op_shape_of("relu 4x4x4 -> 4x4x4"), 5);
  const auto with = [&](std::string OpRow::*what, const std::string& text) {
    LatencyTable table;
    table.add(row);
    OpRow other = row;
    other.*what = text;
    table.add(other);
    return refusal(table);
  };
  EXPECT_EQ(with(&OpRow::target, "m7"), "it was taken");
  EXPECT_THAT(with(&OpRow::compiler, "armclang 6.21"),
              HasSubstr("rows of several builds: k ( ), k (armclang 6.21 )"));
  EXPECT_THAT(with(&OpRow::flags, "-Os"), HasSubstr("rows of several builds: k ( ), k ( -Os)"));
  EXPECT_THAT(with(&OpRow::setup, "slow"), HasSubstr("rows of several setups: '', 'slow'"));
}

/// The order of origins holds between cycles of the board and counts of its core, too.
TEST(OpCosts, TakesTheBestOriginWhateverTheTarget) {
  Graph graph;
  graph.relu(graph.input({4, 4, 4}));
  const Int8Network network = skeleton(graph);
  const OpRow of_core = counted(ops_of(network).at(0), 1000);
  OpRow of_board = of_core;
  of_board.target = "mine";
  of_board.instructions.reset();
  of_board.cycles = 777;
  const auto taken = [&](Origin board_origin, Origin core_origin) {
    LatencyTable table;
    for (OpRow row : {of_board, of_core}) {
      row.origin = row.cycles ? board_origin : core_origin;
      table.add(row);
    }
    return OpCosts{board(), table, {}}.of(network).at(0)->cycles;
  };
  for (const Origin better : {Origin::measured, Origin::counted, Origin::fitted})
    for (const Origin worse : {Origin::counted, Origin::fitted, Origin::guessed}) {
      if (!(better < worse)) continue;
      EXPECT_EQ(taken(better, worse).value, 777);
      EXPECT_EQ(taken(worse, better).value, 2000);
      EXPECT_EQ(taken(worse, better).relative_error, 0.1);
      EXPECT_EQ(taken(worse, better).origin, better);
    }
  EXPECT_EQ(taken(Origin::counted, Origin::counted).value, 777) << "no CPI is between";
}

TEST(OpCosts, CountsMissesOfANetworkInOneBatchAndOnce) {
  std::atomic<int> calls = 0;
  const OpCosts costs{board(), {}, counting(calls)};
  const Int8Network network = residual();
  const auto known = costs.of(network);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(costs.of(network), known);
  EXPECT_EQ(calls, 1);
  for (std::size_t i = 0; i < known.size(); ++i) {
    const OpShape op = op_shape(network, network.layers[i]);
    const double cpi = op.kernel == Kernel::add ? 3 : 2;
    EXPECT_EQ(known[i]->cycles.value, cpi * instructions_of(op)) << to_string(op);
  }
}

TEST(OpCosts, CountsOnceForManyThreads) {
  std::atomic<int> calls = 0;
  const OpCosts costs{board(), {}, counting(calls)};
  const Int8Network network = residual();
  std::vector<std::vector<const KnownOp*>> seen(8);
  std::vector<std::thread> threads;
  for (auto& mine : seen) threads.emplace_back([&] { mine = costs.of(network); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 1);
  for (const auto& mine : seen) EXPECT_EQ(mine, seen[0]);
}

TEST(OpCosts, KeepsCountedRowsForTheNextProcess) {
  const testing::TemporaryFolder folder;
  std::atomic<int> calls = 0;
  OpCostsOptions options = counting(calls);
  options.cache = RowCache{folder.path() / "cache.csv"};
  const Int8Network network = residual();
  std::vector<double> first;
  {
    const OpCosts costs{board(), {}, options};
    for (const KnownOp* const op : costs.of(network)) first.push_back(op->cycles.value);
  }
  const OpCosts again{board(), {}, options};
  const auto known = again.of(network);
  EXPECT_EQ(calls, 1);
  for (std::size_t i = 0; i < known.size(); ++i) EXPECT_EQ(known[i]->cycles.value, first[i]);
}

TEST(OpCosts, GoesOnWithoutACacheThatCannotBeWrittenAndSaysSoOnce) {
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "file", "no folder");
  std::atomic<int> calls = 0;
  OpCostsOptions options = counting(calls);
  options.cache = RowCache{folder.path() / "file" / "operators" / "cache.csv"};
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& line) { warnings.push_back(line); };
  const OpCosts costs{board(), {}, options};
  const Int8Network network = residual();
  EXPECT_EQ(costs.of(network)[0]->cycles.value, 2 * instructions_of(ops_of(network)[0]));
  Graph graph;
  graph.relu(graph.input({5, 5, 5}));
  EXPECT_NO_THROW(costs.of(skeleton(graph)));
  EXPECT_EQ(calls, 2);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], AllOf(HasSubstr("not kept for the next run: cannot make '"),
                                 HasSubstr("file/operators'")));
}

TEST(OpCosts, MakesADamagedCacheAnewAndSaysSoOnce) {
  const testing::TemporaryFolder folder;
  std::atomic<int> calls = 0;
  OpCostsOptions options = counting(calls);
  options.cache = RowCache{folder.path() / "cache.csv"};
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& line) { warnings.push_back(line); };
  write_file(folder.path() / "cache.csv", "garbage\n");
  OpCosts{board(), {}, options}.of(residual());
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], HasSubstr("cache.csv:1:1: error: "));
  OpCosts{board(), {}, options}.of(residual());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(warnings.size(), 1U);
}

/// What a table has is not looked up in the cache: else results would hang on what ran before.
TEST(OpCosts, TakesItsTableBeforeTheCache) {
  const testing::TemporaryFolder folder;
  std::atomic<int> calls = 0;
  OpCostsOptions options = counting(calls);
  options.cache = RowCache{folder.path() / "cache.csv"};
  const Int8Network network = residual();
  OpRow cached = counted(ops_of(network).at(0), 1);
  cached.compiler = "a compiler that the alphabet prefers";
  options.cache->add({&cached, 1});
  LatencyTable table;
  OpRow known = counted(cached.op, 1000);
  known.compiler = "gcc 12.2.1";
  known.origin = Origin::guessed;
  table.add(known);
  EXPECT_EQ((OpCosts{board(), table, options}.of(network).at(0)->cycles.value), 2000);
}

TEST(OpCosts, SaysOnceWhenItCountsWithAnotherCompilerAndRefusesOtherFlags) {
  std::atomic<int> calls = 0;
  OpCostsOptions options = counting(calls);
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& line) { warnings.push_back(line); };
  const Int8Network network = residual();
  OpRow row = counted(ops_of(network).at(0), 1000);
  row.compiler = "gcc 13";
  LatencyTable table;
  table.add(row);
  EXPECT_NO_THROW((OpCosts{board(), table, options}.of(network)));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], HasSubstr("of two compilers: k (gcc 13 ) in the tables, k ( ) counted"));
  row.flags = "-Os";
  LatencyTable small;
  small.add(row);
  EXPECT_THROW((OpCosts{board(), small, options}.of(network)), InputError);
}

TEST(OpCosts, SaysWhyItKnowsNothing) {
  const auto reason = [](OnMiss on_miss) {
    OpCostsOptions options;
    options.on_miss = on_miss;
    const OpCosts costs{board(), {}, options};
    return costs.of(residual())[0]->unsupported;
  };
  EXPECT_THAT(reason(OnMiss::refuse), HasSubstr("on_miss is 'refuse'"));
  EXPECT_THAT(reason(OnMiss::profile), HasSubstr("there is no emulator"));
  OpCostsOptions others{.on_miss = OnMiss::profile, .kernels = "CMSIS-NN 4.0"};
  const OpCosts costs{board(), {}, others};
  EXPECT_THAT(costs.of(residual())[0]->unsupported,
              HasSubstr("only thimble's own kernels can be counted, not 'CMSIS-NN 4.0'"));
  EXPECT_THAT(reason(OnMiss::fit), HasSubstr("there are no rows to fit to"));
}

TEST(OpCosts, FailsWhenItsCounterLosesOperators) {
  OpCostsOptions options;
  options.on_miss = OnMiss::profile;
  options.count = [](std::span<const OpShape>) { return CountedRows{}; };
  const OpCosts costs{board(), {}, options};
  EXPECT_THROW(costs.of(residual()), Error);
}

TEST(OpCosts, GivesUpOperatorsThatAreTooLargeAndGoesOn) {
  OpCostsOptions options;
  options.on_miss = OnMiss::profile;
  options.count = [](std::span<const OpShape> ops) {
    CountedRows made{{}, {ops.front()}};
    for (const OpShape& op : ops.subspan(1)) made.rows.push_back(counted(op, 1));
    return made;
  };
  const OpCosts costs{board(), {}, options};
  const auto known = costs.of(residual());
  EXPECT_THAT(known.front()->unsupported,
              AllOf(HasSubstr(to_string(ops_of(residual()).front())),
                    HasSubstr("too large to be counted on the emulated m4")));
  EXPECT_EQ(known.back()->unsupported, "");
}

OpShape conv(int in, int out, int size, int window) {
  OpShape op;
  op.kernel = Kernel::conv;
  op.inputs = {{in, size, size}};
  op.output = {out, size, size};
  op.window = {window, window};
  op.padding = {window / 2, window / 2};
  return op;
}

std::vector<OpShape> many_convolutions() {
  std::vector<OpShape> ops;
  for (const int in : {3, 8, 16, 24})
    for (const int out : {4, 8, 20})
      for (const int window : {1, 3, 5}) ops.push_back(conv(in, out, 2 + in, window));
  return ops;
}

TEST(OpFit, FindsALawThatItsFeaturesCanWrite) {
  std::vector<std::vector<double>> rows;
  std::vector<double> values;
  for (const OpShape& op : many_convolutions()) {
    rows.push_back(features_of(op));
    const auto& f = rows.back();
    values.push_back(500 + 2 * f[1] + 30 * f[2] + 4 * f[3]);
  }
  const RelativeFit fit = fit_relative(rows, values);
  EXPECT_LT(fit.largest_error, 1e-6);
  const auto unseen = features_of(conv(12, 17, 9, 3));
  const double truth = 500 + 2 * unseen[1] + 30 * unseen[2] + 4 * unseen[3];
  EXPECT_NEAR(fit.predict(unseen), truth, 1e-6 * truth);
}

/// The closed form of leaving one out, against leaving one out.
TEST(OpFit, LeavesOneOut) {
  std::vector<std::vector<double>> rows;
  std::vector<double> values;
  for (const OpShape& op : many_convolutions()) {
    rows.push_back(features_of(op));
    const double wave = 1 + 0.2 * std::sin(static_cast<double>(rows.size()));
    values.push_back((300 + 3 * rows.back()[1]) * wave);
  }
  double mean = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto others = rows;
    auto other_values = values;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    other_values.erase(other_values.begin() + static_cast<std::ptrdiff_t>(i));
    const double predicted = fit_relative(others, other_values).predict(rows[i]);
    mean += std::abs(predicted / values[i] - 1) / static_cast<double>(rows.size());
  }
  EXPECT_NEAR(fit_relative(rows, values).mean_error, mean, 1e-6);
}

TEST(OpFit, IsRefusedWithTooFewRows) {
  const std::vector<std::vector<double>> rows(5, {1, 2, 3});
  EXPECT_THROW(fit_relative(rows, std::vector<double>(5, 1)), InputError);
  EXPECT_THROW(fit_relative({}, {}), InputError);
}

TEST(OpFit, DoesNotTrustARowThatStandsAlone) {
  std::vector<std::vector<double>> rows(8, {1, 0});
  rows[3][1] = 1;  // nobody else says what this feature costs
  const RelativeFit fit = fit_relative(rows, std::vector<double>(8, 10));
  EXPECT_EQ(fit.largest_error, 1);
}

TEST(OpCosts, EstimatesFromOthersOfItsKindAndSaysSo) {
  LatencyTable table;
  for (const OpShape& op : many_convolutions()) {
    const auto f = features_of(op);
    table.add(counted(op, 500 + 2 * f[1] + 30 * f[2]));
  }
  OpCostsOptions options;
  options.on_miss = OnMiss::fit;
  const OpCosts costs{board(), table, options};
  Graph graph;
  graph.conv(graph.input({12, 9, 9}), {17, {3, 3}, {1, 1}, {1, 1}, 1, true});
  const auto known = costs.of(skeleton(deployed(graph)));
  const auto f = features_of(conv(12, 17, 9, 3));
  ASSERT_EQ(known[0]->unsupported, "");
  EXPECT_NEAR(known[0]->cycles.value, 2 * (500 + 2 * f[1] + 30 * f[2]), 1);
  EXPECT_EQ(known[0]->cycles.origin, Origin::fitted);
  EXPECT_NEAR(known[0]->cycles.relative_error, 0.1, 1e-6) << "the error of the board's CPI is left";
  Board guess = board();
  guess.counted->cpi["default"].origin = Origin::guessed;
  const OpCosts guessed{guess, table, options};
  EXPECT_EQ(guessed.of(skeleton(deployed(graph)))[0]->cycles.origin, Origin::guessed);
}

}  // namespace
}  // namespace thimble
