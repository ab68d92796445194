// What a report says in words below its tables.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/report/answers.hpp>
#include <thimble/report/quantities.hpp>
#include <thimble/report/result_tables.hpp>

namespace thimble::answers_test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// A point whose network takes so long.
PointOutcome point(const std::string& row, const std::string& runtime, const Figure& latency_ms) {
  PointOutcome made;
  made.row = row;
  made.target.emplace();
  made.target->name = "Board";
  made.target->runtime = runtime;
  made.target->remark = "nobody measured it";
  Evaluation best;
  best.text = "n";
  best.has_cost = true;
  best.cost.latency_ms = latency_ms;
  made.result.best = best;
  made.evaluated = {best};
  measure(made, nullptr);
  return made;
}

const Figure kFitted{10, 0.08, Origin::fitted};
const Figure kGuessed{20, 0.5, Origin::guessed};

TEST(Answers, SayWhatAnErrorIsAndWhereItIsFrom) {
  EXPECT_EQ(error_text({}), "");
  EXPECT_EQ(error_text({{1, 0, Origin::counted}}), "exact, counted");
  EXPECT_EQ(error_text({kFitted}), "± 8 %, fitted");
  EXPECT_EQ(error_text({kGuessed, kFitted}), "± 8 to 50 %, fitted or guessed");
  EXPECT_EQ(error_text({{1, 0.075, Origin::measured}}), "± 7.5 %, measured");
}

TEST(Answers, NameTheRuntimeAndTheErrorOfLatencies) {
  const std::string fitted = legend_text({point("", "ours 1", kFitted)}, {"latency_ms"});
  EXPECT_THAT(fitted, AllOf(HasSubstr("- latency_ms: on Board with ours 1, ± 8 %, fitted\n"),
                            HasSubstr("95 % of measured values"), Not(HasSubstr("nobody"))));
  EXPECT_THAT(legend_text({point("", "ours 1", kGuessed)}, {"latency_ms"}),
              HasSubstr("ours 1, ± 50 %, guessed: nobody measured it\n"));
  EXPECT_EQ(legend_text({point("", "ours 1", kFitted)}, {"meco"}), "");
}

TEST(Answers, RefuseToCompareTwoRuntimes) {
  std::vector<PointOutcome> points{point("a", "ours 1", kFitted), point("b", "TFLM", kGuessed)};
  EXPECT_EQ(mixed_runtimes({points[0]}), "");
  const std::string mixed = mixed_runtimes(points);
  EXPECT_EQ(mixed, "latencies of different runtimes cannot be compared: TFLM (b); ours 1 (a)");
  EXPECT_THAT(legend_text(points, {"latency_ms"}), HasSubstr(mixed));
  add_speedups(points, "a");
  EXPECT_EQ(points[0].quantities.at("speedup"), 1);
  EXPECT_FALSE(points[1].quantities.contains("speedup"));
  points[1].target->runtime = "ours 1";
  add_speedups(points, "a");
  EXPECT_EQ(points[1].quantities.at("speedup"), 0.5);
}

TEST(Answers, StandBesideEachLatencyInTheFiles) {
  const std::vector<PointOutcome> points{point("", "ours 1", kGuessed)};
  const auto cell = [](const Table& table, const std::string& column) {
    const auto place = std::ranges::find(table.header, column) - table.header.begin();
    return table.rows.at(0).at(static_cast<std::size_t>(place));
  };
  for (const Table& table : {candidate_table(points, nullptr), result_table(points)}) {
    EXPECT_EQ(cell(table, "latency_ms.error"), "0.5");
    EXPECT_EQ(cell(table, "latency_ms.origin"), "guessed");
    EXPECT_EQ(cell(table, "energy_mj.origin"), "guessed");
  }
  EXPECT_EQ(cell(result_table(points), "runtime"), "Board with ours 1");
}

TEST(Answers, CountInWholeNumbersAndSetRanksBesideTheirNumber) {
  PointOutcome found = point("", "ours 1", kFitted);
  found.quantities["rank"] = 3;
  found.quantities["class_size"] = 6;
  found.quantities["front"] = 112;
  const std::vector<std::string> columns{"rank", "class_size", "front"};
  EXPECT_THAT(report_table({found}, columns, {}).rows.at(0),
              ::testing::ElementsAre("result", "3 / 6", "6", "112"));
  PointOutcome other = found;
  other.quantities["rank"] = 6;
  EXPECT_EQ(report_table({found, other}, columns, {}).rows.at(0).at(1), "4.5 ± 2.1 / 6");
  other.quantities["class_size"] = 10;
  EXPECT_EQ(report_table({found, other}, columns, {}).rows.at(0).at(1), "4.5 ± 2.1");
}

/// Networks n0, n1, ... with MACs and a merit, all on the front; the first one is the result.
PointOutcome front(const std::vector<std::pair<int, double>>& networks) {
  PointOutcome made;
  made.metrics.proxies = {"merit"};
  made.objectives = {{"merit", Direction::maximize, 1}, {"macs", Direction::minimize, 1}};
  for (const auto& [macs, merit] : networks) {
    Evaluation network;
    network.text = "n" + std::to_string(made.evaluated.size());
    network.macs = macs;
    network.proxies = {ProxyValue{merit, {}, 0, {}}};
    network.objectives = {merit, static_cast<double>(macs)};
    made.evaluated.push_back(network);
  }
  made.result.front = made.evaluated;
  made.result.best = made.evaluated.front();
  return made;
}

/// A proxy at its ceiling must not look like an answer.
TEST(Answers, SayThatEqualValuesTellNothing) {
  PointOutcome made = front({{1, 600}, {2, 600}, {3, 600}, {4, 500}});
  EXPECT_THAT(choice_text({made}), HasSubstr("**the best merit is that of 3 of 4 networks**"));
  EXPECT_THAT(choice_text({front({{1, 600}, {2, 600}, {3, 500}, {4, 500}})}),
              ::testing::Not(HasSubstr("the best merit")))
      << "a half may well be equal";
  made.objectives[0].weight = 0;
  EXPECT_THAT(choice_text({made}), ::testing::Not(HasSubstr("the best merit")));
}

TEST(Answers, SayHowGoodMemoryIsKnown) {
  PointOutcome made = point("", "ours 1", kGuessed);
  const std::vector<std::string> columns{"ram_kb", "rom_kb"};
  made.result.best->cost.ram_bytes = {1024, 0, Origin::counted};
  made.result.best->cost.rom_bytes = {2048, 0.36, Origin::guessed};
  EXPECT_EQ(legend_text({made}, columns),
            "- ram_kb: RAM in KiB: arena, stack and firmware; exact, counted\n"
            "- rom_kb: flash in KiB: constants, kernels and firmware; ± 36 %, guessed\n");
}

TEST(Answers, KnowOneLimitAMetric) {
  const auto limits = lowest_limits({{"ram_bytes", 64}, {"macs", 9}, {"ram_bytes", 320}});
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].metric, "ram_bytes");
  EXPECT_EQ(limits[0].most, 64);
  EXPECT_EQ(lowest_limits({{"ram_bytes", 320}, {"ram_bytes", 64}})[0].most, 64);
}

TEST(Answers, SayWhichNetworkToTakeAndWhy) {
  PointOutcome made = front({{1000000, 1}, {2000000, 9}, {10000000, 10}});
  EXPECT_THAT(
      choice_text({made}),
      AllOf(
          HasSubstr(
              "- network 1 (merit 1.00, macs_m 1.00): the best by the weighted sum of its ranks in "
              "merit, macs; an end of the front (least macs), and `select: {k: 5}` "
              "shows what lies between\n"),
          HasSubstr("- the front has 3 of the 3 networks within the limits: 2 objectives tell "
                    "few of them apart")));
  made.selection.emplace();
  made.selection->landmarks.knee = 1;
  EXPECT_THAT(choice_text({made}),
              HasSubstr("- network 2 (merit 9.00, macs_m 2.00): the knee of the front"));
  made.objectives.pop_back();
  EXPECT_THAT(choice_text({made}), HasSubstr("network 1 (merit 1.00): the most merit\n"));
  EXPECT_EQ(choice_text(std::vector<PointOutcome>(7, made)), "") << "of many there is a table";
  made.result.best.reset();
  EXPECT_EQ(choice_text({made}), "");
}

}  // namespace
}  // namespace thimble::answers_test
