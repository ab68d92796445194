// Operators that no table has: counted once and kept, or why they have no cost.

#include <atomic>
#include <thread>
#include <vector>

#include <support/op_costs.hpp>
#include <support/world.hpp>
#include <thimble/core/files.hpp>

namespace thimble::missing_ops_test {
namespace {

using ::testing::AllOf;
using testing::board;
using testing::counted;
using testing::counting;
using ::testing::HasSubstr;
using testing::instructions_of;
using testing::ops_of;
using testing::residual;

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

}  // namespace
}  // namespace thimble::missing_ops_test
