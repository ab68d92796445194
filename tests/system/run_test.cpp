// Whole runs of the program: the same seed gives the same result whatever the number of threads,
// and a run that was killed goes on to the result of an unbroken one.

#include <chrono>
#include <csignal>
#include <fstream>
#include <regex>
#include <thread>

#include <nlohmann/json.hpp>

#include <support/datasets.hpp>
#include <support/small_run.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>

namespace thimble::run_test {
namespace {

using namespace std::chrono_literals;
using testing::Command;
using testing::content;
using testing::Finished;
using testing::Run;
using testing::thimble_command;

TEST_F(Run, GivesTheSameResultAtOneTwoAndFourJobs) {
  const std::string one = result(thimble_command("run small.yaml --quiet --jobs 1", here_.path()));
  ASSERT_FALSE(one.empty());
  EXPECT_EQ(result(thimble_command("run small.yaml --quiet --jobs 2", here_.path())), one);
  EXPECT_EQ(result(thimble_command("run small.yaml --quiet --jobs 4", here_.path())), one);
}

TEST_F(Run, GoesOnAfterBeingKilledToTheSameResult) {
  const std::string whole =
      result(thimble_command("run small.yaml --quiet --jobs 2 --output whole", here_.path()));
  Random random{2024};
  int killed = 0;
#ifdef __SANITIZE_ADDRESS__
  constexpr int kAttempts = 1;  // each takes minutes there
#else
  constexpr int kAttempts = 20;
#endif
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string output = "--jobs 2 --output broken" + std::to_string(attempt);
    for (int kills = 0; kills < 3; ++kills)
      killed += run_and_kill(output + (kills > 0 ? " --resume" : ""),
                             std::chrono::milliseconds{20 + random.below(600)})
                    ? 1
                    : 0;
    ASSERT_EQ(result(thimble_command("run small.yaml --quiet --resume " + output, here_.path())),
              whole)
        << "attempt " << attempt;
  }
  EXPECT_GT(killed, kAttempts) << "too few of the runs were still running when they were killed";
}

class EvolvingRun : public Run, public ::testing::WithParamInterface<const char*> {};

TEST_P(EvolvingRun, GivesTheSameFrontAtOneAndFourJobsAndAfterBeingKilled) {
  const std::string search =
      std::string{"'searcher={use: nsga2, population: 8, evaluations: 24}' "} + GetParam();
  const std::string one =
      result(thimble_command("run small.yaml --quiet --jobs 1 " + search, here_.path()));
  ASSERT_FALSE(one.empty());
  EXPECT_EQ(result(thimble_command("run small.yaml --quiet --jobs 4 " + search, here_.path())),
            one);
  const std::string broken = search + "--jobs 1 --output broken";
  run_and_kill(broken, 400ms);
  EXPECT_EQ(result(thimble_command("run small.yaml --quiet --resume " + broken, here_.path())),
            one);
}

INSTANTIATE_TEST_SUITE_P(
    Spaces, EvolvingRun,
    ::testing::Values(
        "",
        "'search_space={use: superblocks, height: 32, width: 32}' "
        "'proxies=[{use: naswot, batch: 8}, {use: snip, batch: 8}]' "
        "'objectives=[{maximize: naswot}, {maximize: snip}, {minimize: macs}]' "
        "'hardware={use: table, board: imxrt1062_evk, on_miss: fit}' limits.macs=20000000 "));

TEST_F(Run, StopsWhenAskedToAndSaysHowToGoOn) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const Command run{"run small.yaml searcher='{use: random, samples: 5000}'", here_.path()};
    std::this_thread::sleep_for(1500ms);
    run.send(signal);
    const Finished stopped = run.wait();
    EXPECT_EQ(stopped.code, 130) << signal;
    EXPECT_THAT(stopped.errors, ::testing::HasSubstr("--resume goes on")) << signal;
  }
}

/// What nohup does for a program is to ignore the signal before it begins.
TEST_F(Run, GoesOnUnderNohupWhenTheTerminalCloses) {
  const Finished finished =
      testing::shell("trap '' HUP\n'" THIMBLE_TEST_PROGRAM
                     "' run small.yaml --quiet searcher='{use: random, samples: 20}' &\n"
                     "while kill -HUP $! 2>/dev/null; do sleep 0.1; done; wait $!",
                     here_.path());
  EXPECT_EQ(finished.code, 0) << finished.errors;
}

/// Neither sizes nor times tell: a copy may keep both.
TEST_F(Run, BeginsAnewOnceAFileOfTheDataHasChanged) {
  const std::filesystem::path images = here_.path() / "data/X.npy";
  const auto write_images = [&](std::uint64_t seed) {
    std::string bytes(std::size_t{16} * 3 * 8 * 8, '\0');
    Random random{seed};
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    testing::write(images, testing::npy("|u1", "(16, 3, 8, 8)", bytes));
  };
  write_images(1);
  testing::write(here_.path() / "data/y.npy",
                 testing::npy("|u1", "(16,)", "\1\2\3\4\1\2\3\4\1\2\3\4\1\2\3\4"));
  testing::write(here_.path() / "data/mine.yaml", "{X: X.npy, y: y.npy, axes: NCHW}");
  const auto run = [&](const std::string& more) {
    const Finished finished = thimble_command(
        "run small.yaml --quiet 'dataset={use: arrays, file: mine.yaml}' "
        "'proxies=[{use: snip, batch: 4}]' 'objectives=[{maximize: snip}]' "
        "'searcher={use: random, samples: 3}' " +
            more,
        here_.path());
    EXPECT_EQ(finished.code, 0) << finished.errors;
    return here_.path() / finished.output.substr(0, finished.output.size() - 1);
  };
  const auto first = run("");
  EXPECT_EQ(run("--resume"), first);
  const auto time = std::filesystem::last_write_time(images);
  write_images(2);
  std::filesystem::last_write_time(images, time);
  const auto second = run("--resume");
  EXPECT_NE(second, first);
  const std::string values = content(second / "candidates.csv");
  EXPECT_NE(values, content(first / "candidates.csv"));
  EXPECT_EQ(values, content(run("--output fresh") / "candidates.csv"));
}

TEST_F(Run, WritesEverythingIntoItsFolder) {
  const Finished finished =
      thimble_command("run small.yaml searcher='{use: random, samples: 3}' seed=8", here_.path());
  ASSERT_EQ(finished.code, 0) << finished.errors;
  for (const auto& run : std::filesystem::directory_iterator{here_.path() / "runs" / "small"})
    for (const char* const file :
         {"experiment.yaml", "resolved.yaml", "store.sqlite", "result.yaml", "result.csv",
          "candidates.csv", "report.md", "timing.yaml", "log.txt", "report.html"})
      EXPECT_TRUE(std::filesystem::exists(run.path() / file)) << file;
}

TEST_F(Run, ReadsItsOwnResolvedExperiment) {
  const Finished first =
      thimble_command("run small.yaml --quiet searcher='{use: random, samples: 3}'", here_.path());
  ASSERT_EQ(first.code, 0) << first.errors;
  const std::string folder = first.output.substr(0, first.output.size() - 1);
  EXPECT_EQ(result(thimble_command("run --quiet --output again " + folder + "/resolved.yaml",
                                   here_.path())),
            result(first));
}

TEST_F(Run, KeepsLimitsAndSaysWhenNothingCan) {
  const Finished kept =
      thimble_command("run small.yaml limits.latency_ms=500 --json", here_.path());
  ASSERT_EQ(kept.code, 0) << kept.errors;
  EXPECT_THAT(kept.output, ::testing::HasSubstr("\"feasible\":true"));
  const Finished none = thimble_command("run small.yaml limits.latency_ms=1", here_.path());
  ASSERT_EQ(none.code, 3) << none.errors;
  EXPECT_THAT(none.errors, ::testing::HasSubstr("the limits cannot be met"));
  EXPECT_THAT(none.errors,
              ::testing::ContainsRegex("nothing keeps the limits: latency_ms [0-9.]+ of 1"));
  EXPECT_THAT(none.output, ::testing::HasSubstr("| result (beyond the limits) |"));
}

TEST_F(Run, KeepsRemarksWithTheResults) {
  const Finished finished = thimble_command(
      "run small.yaml searcher='{use: random, samples: 2}' "
      "'benchmark={file: none.csv, accuracy: test}' --output kept",
      here_.path());
  ASSERT_EQ(finished.code, 0) << finished.errors;
  EXPECT_THAT(finished.output, ::testing::HasSubstr("\nremark: no benchmark 'none.csv'"))
      << "where a long run is looked at";
  for (const auto& run : std::filesystem::directory_iterator{here_.path() / "kept" / "small"})
    for (const char* const file : {"report.md", "result.yaml", "log.txt"})
      EXPECT_THAT(content(run.path() / file), ::testing::HasSubstr("no benchmark 'none.csv'"))
          << file;
}

TEST_F(Run, LeavesNoFolderWhenItFailsBeforeAnythingIsScored) {
  std::filesystem::create_directories(here_.path() / "data" / "cifar10");
  std::ofstream{here_.path() / "data" / "cifar10" / "data_batch_1.bin"}
      << std::string(std::size_t{10000} * 3073, '\x7f');  // no label is 127
  const Finished failed = thimble_command(
      "run small.yaml 'dataset={use: cifar10, batches: 1}' --data data --output left",
      here_.path());
  EXPECT_NE(failed.code, 0);
  EXPECT_THAT(failed.errors, ::testing::HasSubstr("data_batch"));
  EXPECT_FALSE(std::filesystem::exists(here_.path() / "left")) << failed.errors;
}

TEST_F(Run, LeavesNoFolderWhenTheDiskIsFullAtOnce) {
  std::filesystem::create_directories(here_.path() / "mine");
  for (const std::string output : {"left/below", "mine"}) {
    const Finished failed = testing::shell("ulimit -f 0; trap '' XFSZ; '" THIMBLE_TEST_PROGRAM
                                           "' run small.yaml --output " +
                                               output + " 2>&1 | cat",
                                           here_.path());
    EXPECT_THAT(failed.output, ::testing::HasSubstr("experiment.yaml': File too large"));
  }
  EXPECT_FALSE(std::filesystem::exists(here_.path() / "left"));
  EXPECT_TRUE(std::filesystem::is_empty(here_.path() / "mine")) << "it was there before";
}

TEST_F(Run, SaysOnceThatTheLogCannotBeWritten) {
  const std::string run = "run small.yaml --quiet searcher='{use: random, samples: 3}'";
  const Finished first = thimble_command(run, here_.path());
  ASSERT_EQ(first.code, 0) << first.errors;
  const auto log = here_.path() / first.output.substr(0, first.output.size() - 1) / "log.txt";
  std::filesystem::remove(log);
  std::filesystem::create_symlink("/dev/full", log);
  const Finished failed = thimble_command(run + " --resume", here_.path());
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.errors, ::testing::EndsWith("log.txt': No space left on device\n"));
  EXPECT_THAT(failed.errors, ::testing::Not(::testing::HasSubstr("LOG ERROR")));
}

/// As one finds it after LibTorch was renewed.
TEST_F(Run, IsNotGoneOnWithByAnotherLibTorch) {
  const std::string run = "run small.yaml --quiet searcher='{use: random, samples: 3}'";
  const Finished first = thimble_command(run, here_.path());
  ASSERT_EQ(first.code, 0) << first.errors;
  const auto resolved =
      here_.path() / first.output.substr(0, first.output.size() - 1) / "resolved.yaml";
  const std::string of_another = std::regex_replace(
      content(resolved), std::regex{"(# arithmetic )[0-9a-f]+(.*LibTorch )[0-9.]+"},
      "$010123456789abcdef$020.4.1");
  testing::write(resolved, of_another);
  const Finished refused = thimble_command(run + " --resume", here_.path());
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors,
              ::testing::ContainsRegex("computed with other arithmetic than this process "
                                       "has: LibTorch 0.4.1, .* there, LibTorch [12]"));
  EXPECT_THAT(refused.errors, ::testing::HasSubstr("begin anew without --resume"));
  EXPECT_EQ(content(resolved), of_another);
}

TEST_F(Run, SaysWhatNoProxyTakesOfTheCommonPass) {
  const Finished checked = thimble_command(
      "check small.yaml proxies='[{use: zen}]' objectives='[]' pass='{input: ones, batch: 32}'",
      here_.path());
  EXPECT_EQ(checked.code, 0) << checked.errors;
  EXPECT_THAT(checked.output, ::testing::HasSubstr("'pass' sets 'input', which no proxy here"))
      << "zen looks at noise";
  EXPECT_THAT(checked.output, ::testing::Not(::testing::HasSubstr("'pass' sets 'batch'")));
}

TEST_F(Run, SaysWhichLimitTheNearestExceedsAndByHowMuch) {
  for (const std::string search :
       {"{use: pruning}", "{use: random, samples: 5}", "{use: local_search, evaluations: 5}"}) {
    const Finished none = thimble_command(
        "run small.yaml limits.latency_ms=1 --json --quiet searcher='" + search + "'",
        here_.path());
    const auto best = nlohmann::json::parse(none.output)["points"][0]["best"];
    EXPECT_EQ(best["feasible"], false) << none.errors;
    EXPECT_THAT(best["reason"], ::testing::MatchesRegex("latency_ms [0-9.]+ of 1")) << search;
    EXPECT_NE(best["canonical"], "") << search;
    const auto folder = nlohmann::json::parse(none.output)["folder"].get<std::string>();
    EXPECT_THAT(content(here_.path() / folder / "candidates.csv"),
                ::testing::HasSubstr("true,false,latency_ms"));
  }
  const Finished scored = thimble_command(
      "score small.yaml limits.latency_ms=0.01 --arch "
      "'|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|'",
      here_.path());
  EXPECT_THAT(scored.output, ::testing::HasSubstr("  beyond the limits: latency_ms "))
      << scored.errors;
}

TEST_F(Run, RanksCandidatesByAnAggregateOfMetrics) {
  const std::string aggregates =
      " objectives= 'aggregates=[{use: rank_sum, of: [ntk, linear_regions, {minimize: macs}], "
      "as: all}]'";
  for (const char* const searcher : {"{use: random, samples: 8}", "{use: pruning}"}) {
    const Finished finished = thimble_command(
        "run small.yaml --json searcher='" + std::string{searcher} + "'" + aggregates,
        here_.path());
    ASSERT_EQ(finished.code, 0) << finished.errors;
    EXPECT_THAT(finished.output, ::testing::HasSubstr("\"aggregates\":{\"all\":"));
  }
  // Of eight that hold all ranks, the best by the only objective has the largest sum.
  const Finished random = thimble_command(
      "run small.yaml --quiet searcher='{use: random, samples: 8}'" + aggregates, here_.path());
  const std::string folder = random.output.substr(0, random.output.size() - 1);
  const CsvTable candidates =
      parse_csv(content(here_.path() / folder / "candidates.csv"), "candidates.csv");
  double sum = 0, best = 0;
  for (const auto& row : candidates.rows) {
    const double value = std::stod(row[candidates.column("all")].text);
    sum += value;
    best = std::max(best, value);
  }
  EXPECT_DOUBLE_EQ(sum, 3 * 8 * 9 / 2);
  EXPECT_THAT(content(here_.path() / folder / "result.yaml"),
              ::testing::HasSubstr("all: " + number_text(best)));
}

TEST_F(Run, ShowsTheSelectedNetworks) {
  const Finished finished = thimble_command(
      "run small.yaml --quiet searcher='{use: random, samples: 12}' 'select={k: 2}'", here_.path());
  EXPECT_EQ(finished.code, 0) << finished.errors;
  const auto folder = here_.path() / finished.output.substr(0, finished.output.size() - 1);
  EXPECT_THAT(content(folder / "report.md"), ::testing::HasSubstr("## Selected networks"));
  EXPECT_THAT(content(folder / "selected.csv"), ::testing::HasSubstr("knee"));
  EXPECT_THAT(content(folder / "result.yaml"), ::testing::HasSubstr("selected:"));
  EXPECT_THAT(content(folder / "resolved.yaml"), ::testing::HasSubstr("method: automatic"));
  EXPECT_TRUE(std::filesystem::exists(folder / "figures" / "front_ntk.gp"));
}

TEST_F(Run, ScoresArchitecturesFromStandardInput) {
  const std::string good = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|none~2|";
  const Finished scored =
      testing::thimble_program("score small.yaml --json --archs - <<'END'\n" + good +
                                   "\nnonsense\n|nor_conv_3x3~0|+|none~0|skip_connect~1|"
                                   "+|none~0|none~1|skip_connect~2|\nEND\n",
                               here_.path());
  std::istringstream lines{scored.output};
  std::string line;
  std::getline(lines, line);
  EXPECT_THAT(line, ::testing::HasSubstr("no path from the input to the output"));
  std::getline(lines, line);
  EXPECT_THAT(line, ::testing::HasSubstr("\"arch\":\"nonsense\""));
  std::getline(lines, line);
  for (const char* const key :
       {"\"valid\":true", "\"macs\":43172490", "\"ntk\":", "\"latency_ms\":"})
    EXPECT_THAT(line, ::testing::HasSubstr(key));
}

}  // namespace
}  // namespace thimble::run_test
