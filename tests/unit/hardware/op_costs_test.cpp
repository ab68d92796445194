// Operators priced for a board by tables: origins, targets, errors.

#include <cmath>

#include <support/op_costs.hpp>
#include <support/world.hpp>
#include <thimble/hardware/figure_sum.hpp>

namespace thimble::op_costs_test {
namespace {

using testing::board;
using testing::counted;
using ::testing::HasSubstr;
using testing::ops_of;
using testing::residual;

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
      EXPECT_EQ(cycles.relative_error, kGuessError);
    } else {
      EXPECT_EQ(cycles.value, 2000);
      EXPECT_EQ(cycles.relative_error, 0.1);
      EXPECT_EQ(cycles.origin, Origin::counted);
    }
  }
}

/// An error belongs to the kernels and the board that it was found with.
TEST(OpCosts, GuessesWithCyclesAnInstructionOfOtherKernelsAndBoards) {
  Graph graph;
  graph.relu(graph.input({4, 4, 4}));
  const Int8Network network = skeleton(graph);
  const auto cycles = [&](const Board& priced, const std::string& kernels) {
    OpRow row = counted(ops_of(network).at(0), 1000);
    row.kernels = kernels;
    LatencyTable table;
    table.add(row);
    return OpCosts{priced, table, {}}.of(network).at(0)->cycles;
  };
  const Figure same = cycles(board(), "k");
  EXPECT_EQ(same.relative_error, 0.1);
  EXPECT_EQ(same.origin, Origin::counted);
  Board copied = board();
  copied.id = "copy";
  Board once = board();
  once.counted->cpi.at("default").n = 1;
  for (const Figure& guess :
       {cycles(board(), "thimble 1"), cycles(copied, "k"), cycles(once, "k")}) {
    EXPECT_EQ(guess.value, same.value);
    EXPECT_EQ(guess.relative_error, kGuessError);
    EXPECT_EQ(guess.origin, Origin::guessed);
  }
  EXPECT_THAT(board().doubt_about("thimble 1"), HasSubstr("guessed"));
  Board sure = board();
  sure.counted->cpi.erase("add");
  EXPECT_EQ(sure.doubt_about("k"), "");
  EXPECT_EQ(sure.doubt_about("thimble 1"), "cycles an instruction were fitted to k");
  sure.id = "copy";
  EXPECT_EQ(sure.doubt_about("k"), "cycles an instruction were fitted on another board, mine");
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

}  // namespace
}  // namespace thimble::op_costs_test
