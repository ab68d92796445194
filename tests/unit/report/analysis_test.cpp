#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/report/analysis.hpp>

namespace thimble::analysis_test {
namespace {

using ::testing::ElementsAre;

constexpr double kNone = kNotANumber;

/// Twelve cells in two classes of MACs and a cell of its own; accuracy rises from cell to cell.
Sample sample() {
  Sample sample;
  sample.macs = {1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3};
  sample.accuracies = {{"test", Direction::maximize, {}}};
  sample.metrics = {{"loss", Direction::minimize, {}}, {"gain", Direction::maximize, {}}};
  for (int i = 0; i < 12; ++i) {
    sample.accuracies[0].values.push_back(80 + i);
    sample.metrics[0].values.push_back(i < 2 ? kNone : -i);
    sample.metrics[1].values.push_back(i < 2 ? kNone : -i);
  }
  return sample;
}

const Agreement& find(const std::vector<Agreement>& all, std::string_view metric,
                      std::string_view subset) {
  for (const Agreement& one : all)
    if (one.metric == metric && one.subset == subset) return one;
  throw std::out_of_range{std::string{metric} + " " + std::string{subset}};
}

const AnalysisSettings kSmall{.class_size = 5, .top = {1, 3, 100}, .resamples = 20};

TEST(Analysis, CountsCellsWithoutAValueAsTheWorstTheyCanBe) {
  const Analysis found = analyse(sample(), kSmall, 1);
  // As a loss, falling values are perfect, and the two without one lie at the right end.
  const Agreement& loss = find(found.accuracies, "loss", "all");
  EXPECT_EQ(loss.cells, 12U);
  EXPECT_EQ(loss.invalid, 2U);
  EXPECT_NEAR(loss.correlation.tau.value, -65 / std::sqrt(66.0 * 65), 1e-12);
  // As a gain they are the wrong way round, and only the two without one are where they should be.
  const Agreement& gain = find(found.accuracies, "gain", "all");
  EXPECT_NEAR(gain.correlation.tau.value, (20 - 45) / std::sqrt(66.0 * 65), 1e-12);
  EXPECT_LE(gain.correlation.tau.interval.low, gain.correlation.tau.value);
  EXPECT_GE(gain.correlation.tau.interval.high, gain.correlation.tau.value);
}

TEST(Analysis, SaysNothingOfCellsThatNobodyLookedAt) {
  Sample cells = sample();
  cells.metrics[0].left_out.assign(12, false);
  for (const std::size_t cell : {0, 1, 11}) cells.metrics[0].left_out[cell] = true;
  const Analysis found = analyse(cells, kSmall, 1);
  const Agreement& loss = find(found.accuracies, "loss", "all");
  EXPECT_EQ(loss.cells, 9U);
  EXPECT_EQ(loss.invalid, 0U);
  EXPECT_DOUBLE_EQ(loss.correlation.tau.value, -1);
  EXPECT_EQ(find(found.accuracies, "gain", "all").cells, 12U);
  EXPECT_EQ(find(found.pairs, "gain", "all").cells, 9U);  // with loss
  EXPECT_EQ(found.regrets[0].metric, "loss");
  EXPECT_EQ(found.regrets[0].top.regret, 0);  // the best of those looked at
}

TEST(Analysis, ComparesEachAccuracyOverTheCellsWhereItIsKnown) {
  Sample cells = sample();
  cells.accuracies.push_back(cells.accuracies[0]);
  cells.accuracies[1].name = "other";
  cells.accuracies[1].left_out.assign(12, false);
  for (const std::size_t cell : {9, 10, 11}) {
    cells.accuracies[1].values[cell] = kNone;
    cells.accuracies[1].left_out[cell] = true;
  }
  const Analysis found = analyse(cells, kSmall, 1);
  for (const Agreement& agreement : found.accuracies) {
    if (agreement.subset == "top_decile") {
      EXPECT_EQ(agreement.cells, agreement.against == "test" ? 2U : 1U);
    } else if (agreement.subset == "all") {
      EXPECT_EQ(agreement.cells, agreement.against == "test" ? 12U : 9U);
    }
  }
  // The loss falls with accuracy: of the nine, the best has the least.
  for (const Regret& regret : found.regrets)
    if (regret.metric == "loss" && regret.against == "other") {
      EXPECT_EQ(regret.top.regret, 0);
      EXPECT_TRUE(std::isfinite(regret.top.mean));
    }
}

TEST(Analysis, LooksWithinClassesOfEqualMacsThatAreLargeEnough) {
  const Agreement loss = find(analyse(sample(), kSmall, 1).accuracies, "loss", "equal_macs");
  EXPECT_THAT(loss.classes, ElementsAre(1, 2));
  EXPECT_EQ(loss.cells, 11U);
  const double with_ties = -9 / std::sqrt(10.0 * 9);
  EXPECT_NEAR(loss.correlation.tau.value, (5 * with_ties + 6 * -1) / 11, 1e-12);
  AnalysisSettings larger = kSmall;
  larger.class_size = 6;
  EXPECT_THAT(find(analyse(sample(), larger, 1).accuracies, "loss", "equal_macs").classes,
              ElementsAre(2));
  larger.class_size = 7;
  const Agreement none = find(analyse(sample(), larger, 1).accuracies, "loss", "equal_macs");
  EXPECT_EQ(none.cells, 0U);
  EXPECT_TRUE(std::isnan(none.correlation.tau.value));
}

TEST(Analysis, TakesATenthAndWhatIsAsGoodAsItsTop) {
  Sample cells = sample();
  EXPECT_EQ(find(analyse(cells, kSmall, 1).accuracies, "loss", "top_decile").cells, 2U);
  cells.accuracies[0].values[9] = cells.accuracies[0].values[10];
  EXPECT_EQ(find(analyse(cells, kSmall, 1).accuracies, "loss", "top_decile").cells, 3U);
}

TEST(Analysis, SaysWhatTrustingAMetricLoses) {
  const auto regrets = analyse(sample(), kSmall, 1).regrets;
  ASSERT_EQ(regrets.size(), 4U) << "100 cells there are not";
  EXPECT_EQ(regrets[0].metric, "loss");
  EXPECT_DOUBLE_EQ(regrets[0].top.regret, 0);
  EXPECT_DOUBLE_EQ(regrets[1].top.mean, 90);
  EXPECT_EQ(regrets[2].metric, "gain");
  EXPECT_DOUBLE_EQ(regrets[2].top.regret, 9) << "the best gain is that of the third cell";
}

TEST(Analysis, ComparesMetricsWithEachOther) {
  const auto pairs = analyse(sample(), kSmall, 1).pairs;
  // The two without a value are the largest losses and the smallest gains.
  EXPECT_NEAR(find(pairs, "gain", "all").correlation.tau.value, (45 - 20) / 65.0, 1e-12);
  EXPECT_EQ(pairs.size(), 9U) << "of two metrics and an accuracy, in three parts";
}

TEST(Analysis, FindsNothingInOneCell) {
  Sample one;
  one.macs = {1};
  one.metrics = {{"loss", Direction::minimize, {1}}};
  one.accuracies = {{"test", Direction::maximize, {90}}};
  EXPECT_TRUE(analyse(one, kSmall, 1).accuracies.empty());
}

/// What both have in common of a resample cancels, so a small difference can be certain.
TEST(Analysis, SetsMetricsBesideMacsOnTheSameCells) {
  Sample cells = sample();
  cells.metrics.push_back({"macs", Direction::maximize, {}});
  for (int i = 0; i < 12; ++i) cells.metrics.back().values.push_back(i % 4);
  const Analysis found = analyse(cells, {.class_size = 5, .top = {1}, .resamples = 200}, 1);
  const Agreement& loss = find(found.accuracies, "loss", "all");
  const Agreement& macs = find(found.accuracies, "macs", "all");
  EXPECT_NEAR(loss.over_macs.value, -loss.correlation.tau.value - macs.correlation.tau.value, 1e-12)
      << "of a loss that falls as accuracy rises, the sign is turned";
  EXPECT_GT(loss.over_macs.interval.low, 0);
  EXPECT_LE(loss.over_macs.interval.low, loss.over_macs.value);
  EXPECT_GE(loss.over_macs.interval.high, loss.over_macs.value);
  EXPECT_TRUE(std::isnan(macs.over_macs.value));
  // A metric against itself differs by nothing, in every resample.
  cells.metrics[0] = cells.metrics.back();
  cells.metrics[0].name = "twin";
  const Analysis same = analyse(cells, {.class_size = 5, .top = {1}, .resamples = 200}, 1);
  const Agreement& twin = find(same.accuracies, "twin", "all");
  EXPECT_EQ(twin.over_macs.value, 0);
  EXPECT_EQ(twin.over_macs.interval.low, 0);
  EXPECT_EQ(twin.over_macs.interval.high, 0);
}

/// Cells that nobody looked at are left out of both.
TEST(Analysis, SetsMetricsBesideMacsWhereThereIsAValue) {
  Sample cells = sample();
  cells.metrics.push_back({"macs", Direction::maximize, {}});
  for (int i = 0; i < 12; ++i) cells.metrics.back().values.push_back(i < 6 ? 12 - i : i);
  cells.metrics[0].left_out.assign(12, false);
  for (const std::size_t cell : {0, 1, 2, 3, 4, 5}) cells.metrics[0].left_out[cell] = true;
  const Agreement loss = find(analyse(cells, kSmall, 1).accuracies, "loss", "all");
  EXPECT_NEAR(loss.over_macs.value, 0, 1e-12) << "behind the sixth both rank perfectly";
}

TEST(Analysis, MakesTablesWithARowForEachFinding) {
  std::vector<PointOutcome> outcomes(2);
  outcomes[0].row = outcomes[1].row = "both";
  outcomes[1].seed = 2;
  const std::vector<Analysis> analyses{analyse(sample(), kSmall, 1), analyse(sample(), kSmall, 2)};
  EXPECT_EQ(analysis_table(outcomes, analyses).rows.size(), 2 * 2 * 3U);
  EXPECT_EQ(agreement_table(outcomes, analyses).rows.size(), 2 * 9U);
  EXPECT_EQ(regret_table(outcomes, analyses).rows.size(), 2 * 4U);
  const Table summary = analysis_summary(outcomes, analyses);
  EXPECT_THAT(summary.header,
              ElementsAre("row", "metric", "against", "n", "invalid", "tau", "better than MACs",
                          "equal MACs", "top decile", "regret of 1", "regret of 3"));
  Sample with_macs = sample();
  with_macs.metrics.push_back({"macs", Direction::maximize, {}});
  for (int i = 0; i < 12; ++i) with_macs.metrics.back().values.push_back(i % 4);
  const Analysis first = analyse(with_macs, kSmall, 1), second = analyse(with_macs, kSmall, 2);
  const auto ends = [](const Analysis& of) {
    return find(of.accuracies, "loss", "all").over_macs.interval;
  };
  EXPECT_THAT(
      analysis_summary(outcomes, {first, second}).rows[0][6],
      ::testing::EndsWith(fmt::format(" [{:.3f}, {:.3f}]", (ends(first).low + ends(second).low) / 2,
                                      (ends(first).high + ends(second).high) / 2)));
  ASSERT_EQ(summary.rows.size(), 2U);
  EXPECT_THAT(summary.rows[0], ElementsAre("both", "loss", "test", "12", "2", "-0.992 ± 0.000", "-",
                                           "-0.977 ± 0.000", "-1.000 ± 0.000", "0", "0"));
}

}  // namespace
}  // namespace thimble::analysis_test
