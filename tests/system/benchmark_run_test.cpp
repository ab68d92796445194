// Whole runs whose proxies are set against published accuracies.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>

#include <support/small_run.hpp>
#include <thimble/core/csv.hpp>

namespace thimble::benchmark_run_test {
namespace {

using testing::content;
using testing::Finished;
using testing::Run;
using testing::thimble_command;

/// Runs the first cells of the space against a benchmark that is made of them.
class RunWithBenchmark : public Run {
 protected:
  RunWithBenchmark() {
    const Finished finished =
        thimble_command("run small.yaml --quiet " + kCells + " --output first", here_.path());
    const std::string file = "candidates.csv";
    const CsvTable cells = parse_csv(content(here_.path() / line_of(finished) / file), file);
    std::ofstream table{here_.path() / "table.csv"};
    table << "arch_str,test,its_other\n";
    for (std::size_t i = 0; i < cells.rows.size(); ++i)
      table << '"' << cells.rows[i][cells.column("arch")].text << "\"," << 70 + i % 7 << ","
            << 50 + i % 5 << "\n";
  }

  static std::string line_of(const Finished& finished) {
    EXPECT_EQ(finished.code, 0) << finished.errors;
    return finished.output.substr(0, finished.output.size() - 1);
  }

  const std::string kCells = "searcher='{use: exhaustive}' budget.evaluations=30";
  const std::string kBenchmark =
      "run small.yaml --quiet " + kCells +
      " 'benchmark={file: table.csv, accuracy: test, also: [its_other]}'";
};

TEST_F(RunWithBenchmark, LeavesTheSameAnalysisAtOneAndTwoJobs) {
  const auto one = here_.path() / line_of(thimble_command(kBenchmark + " -j 1", here_.path()));
  const auto two = here_.path() / line_of(thimble_command(kBenchmark + " -j 2", here_.path()));
  for (const char* const file : {"analysis.csv", "agreement.csv", "regret.csv",
                                 "figures/scatter_ntk.gp", "figures/agreement.gp"}) {
    EXPECT_EQ(content(one / file), content(two / file)) << file;
    EXPECT_NE(content(one / file), "") << file;
  }
  EXPECT_THAT(content(one / "analysis.csv"), ::testing::HasSubstr(",ntk,its_other,equal_macs,"));
  EXPECT_THAT(content(one / "report.md"), ::testing::HasSubstr("## How metrics rank by accuracy"));
  EXPECT_TRUE(std::filesystem::exists(one / "timing.csv"));
}

TEST_F(RunWithBenchmark, ShowsHowTheResultStandsByEveryColumn) {
  const auto folder =
      here_.path() / line_of(thimble_command(kBenchmark + " 'report={columns: [accuracy, regret, "
                                                          "accuracy.its_other, regret.its_other]}'",
                                             here_.path()));
  const CsvTable result = parse_csv(content(folder / "result.csv"), "result.csv");
  const CsvTable published = parse_csv(content(here_.path() / "table.csv"), "table.csv");
  const CsvTable candidates = parse_csv(content(folder / "candidates.csv"), "candidates.csv");
  const auto cell = [&](const char* column) {
    return std::stod(result.rows[0][result.column(column)].text);
  };
  // Its class by hand: the cells of equal MACs, which stand in both tables in the same order.
  const std::string& arch = result.rows[0][result.column("arch")].text;
  const std::size_t macs = candidates.column("macs"), arch_place = candidates.column("arch");
  std::size_t own = 0;
  while (candidates.rows[own][arch_place].text != arch) ++own;
  double best = 0;
  for (std::size_t i = 0; i < candidates.rows.size(); ++i)
    if (candidates.rows[i][macs].text == candidates.rows[own][macs].text)
      best = std::max(best, std::stod(published.rows[i][2].text));
  EXPECT_EQ(cell("accuracy.its_other"), std::stod(published.rows[own][2].text));
  EXPECT_EQ(cell("regret.its_other"), best - cell("accuracy.its_other"));
  EXPECT_EQ(cell("accuracy"), std::stod(published.rows[own][1].text));
}

TEST_F(RunWithBenchmark, AnswersInTheTerminal) {
  std::string command = kBenchmark;
  command.replace(command.find("--quiet"), std::string{"--quiet"}.size(),
                  "'hardware={use: analytic}' 'objectives=[{minimize: ntk}, {minimize: macs}]'");
  const Finished finished = thimble_command(command, here_.path());
  ASSERT_EQ(finished.code, 0) << finished.errors;
  for (const char* const answer :
       {" better than MACs |", "- better than MACs: how much larger tau is", " ntk |      test |",
        "## Which network to take", ": the best by the weighted sum of its ranks in ntk, macs",
        "- the front has ", "- latency_ms: on NUCLEO-F446RE with TFLM with CMSIS-NN",
        "- rank: place by the benchmark's accuracy"})
    EXPECT_THAT(finished.output, ::testing::HasSubstr(answer));
}

TEST_F(RunWithBenchmark, SaysThatRuntimesCannotBeCompared) {
  const Finished finished = thimble_command(
      "run small.yaml 'searcher={use: random, samples: 2}' "
      "'sweep=[{row: ours, hardware: {use: table, on_miss: fit}}, {row: theirs, hardware: {use: "
      "analytic}}]' report.baseline=ours --output mixed",
      here_.path());
  ASSERT_EQ(finished.code, 0) << finished.errors;
  EXPECT_THAT(finished.output,
              ::testing::ContainsRegex("latencies of different runtimes cannot be compared: TFLM "
                                       "[^;]*\\(theirs\\); thimble [0-9a-f]* \\(ours\\)"));
  const Finished one = thimble_command(
      "run small.yaml 'searcher={use: random, samples: 2}' 'sweep=[{row: ours, hardware: {use: "
      "table, on_miss: fit}}, {row: theirs, hardware: {use: analytic}}]' --rows 'the*' --rows "
      "theirs "
      "--output mixed",
      here_.path());
  EXPECT_EQ(one.code, 0) << one.errors;
  EXPECT_THAT(one.output, ::testing::Not(::testing::HasSubstr("ours")));
}

TEST_F(RunWithBenchmark, GoesWithoutGnuplotAndSaysSo) {
  const Finished finished = thimble_command(
      "run small.yaml " + kBenchmark.substr(std::string{"run small.yaml --quiet "}.size()),
      here_.path(), {{"PATH", "/nowhere"}});
  EXPECT_EQ(finished.code, 0) << finished.errors;
  EXPECT_THAT(finished.errors, ::testing::HasSubstr("there is no gnuplot here"));
}

}  // namespace
}  // namespace thimble::benchmark_run_test
