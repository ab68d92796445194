// Tables of what was trained.

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <thimble/report/training_tables.hpp>

namespace thimble::training_tables_test {
namespace {

/// A point that had one network trained, with two seeds.
PointOutcome trained_point(const std::string& name, std::vector<Limit> limits) {
  PointOutcome point;
  point.limits = std::move(limits);
  Evaluation network;
  network.text = name;
  network.macs = 2'500'000;
  network.has_cost = true;
  network.cost.ram_bytes.value = 48 * 1024;
  network.cost.rom_bytes.value = 96 * 1024;
  point.evaluated = {network};
  point.trained_metrics = {"accuracy"};
  for (const std::uint64_t seed : {1U, 2U}) {
    TrainedRow row{.network = network, .dataset = {}, .seed = seed};
    row.limits = point.limits;
    row.weights = "weights.safetensors";
    row.whole.metrics = {80.0 + 2 * static_cast<double>(seed)};
    point.trained.push_back(row);
  }
  return point;
}

TEST(TrainingSummary, HasTheLimitsBesideTheCosts) {
  std::vector<PointOutcome> points{
      trained_point("a", {{"ram_bytes", 64 * 1024}, {"ram_bytes", 320 * 1024}}),
      trained_point("b", {{"macs", 3e6}, {"rom_bytes", 1 << 20}})};
  points[1].first_number = 2;
  const Table table = training_summary(points);
  EXPECT_THAT(table.header,
              ::testing::ElementsAre("network", "arch", "trainings", "accuracy", "macs_m",
                                     "params_m", "latency_ms", "energy_mj", "ram_kb", "rom_kb",
                                     "ram_kb_limit", "macs_m_limit", "rom_kb_limit"));
  ASSERT_EQ(table.rows.size(), 2U);
  const auto end_of = [](const std::vector<std::string>& row) {
    return std::vector(row.end() - 5, row.end());
  };
  EXPECT_THAT(end_of(table.rows[0]), ::testing::ElementsAre("48.00", "96.00", "64.00", "-", "-"));
  EXPECT_THAT(end_of(table.rows[1]), ::testing::ElementsAre("48.00", "96.00", "-", "3.00", "1024"));
  EXPECT_EQ(table.rows[1][3], "83.00 ± 1.41");
}

TEST(TrainingSummary, HasNoLimitsWhereThereAreNone) {
  EXPECT_EQ(training_summary({trained_point("a", {})}).header.back(), "rom_kb");
}

/// Over several data, the costs and limits are those of the network as it was searched.
TEST(TrainingOverview, HasTheLimitsBesideTheCosts) {
  std::vector<PointOutcome> points{trained_point("a", {{"ram_bytes", 64 * 1024}})};
  points[0].trained[0].dataset = "six";
  points[0].trained[1].dataset = "four";
  points[0].trained[1].limits = {{"ram_bytes", 80 * 1024}};
  EXPECT_EQ(training_summary(points).rows[1].back(), "80.00");
  const Table table = training_overview(points);
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.header.back(), "ram_kb_limit");
  EXPECT_EQ(table.rows[0].back(), "64.00");
  EXPECT_EQ(table.rows[0].size(), table.header.size());
}

}  // namespace
}  // namespace thimble::training_tables_test
