// Searches with shared weights as experiments ask for them: the same bytes at any number of threads
// and behind a kill, up to the trained weights; and what they tell of their course.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include <support/datasets.hpp>
#include <support/training_run.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/random.hpp>

namespace thimble::dnas_run_test {
namespace {

namespace fs = std::filesystem;
using testing::Command;
using testing::content;
using testing::Finished;
using ::testing::HasSubstr;
using testing::thimble_command;

constexpr const char* kExperiment = R"(
name: small
seed: 3
search_space: { use: time_series_cells, steps: 32, sensors: 3, classes: 4, fusion_widths: 3 }
dataset: { use: synthetic, channels: 1, height: 32, width: 3, classes: 4, samples: 96, test_samples: 24 }
hardware: { use: analytic, board: nucleo_l552zeq }
limits: { latency_ms: 3 }
searcher: { use: dnas, epochs: 8, warm_up: 0.25, batch: 32, finalists: 4, trials: 2 }
train: { profile: series, epochs: 2, seeds: [1, 2], quantise: {} }
)";

class SearchedRun : public testing::TrainingRun {
 protected:
  SearchedRun() { std::ofstream{here_.path() / "small.yaml"} << kExperiment; }

  /// What the search found, how it went, and what was trained.
  std::string made(const fs::path& folder) const {
    return content(folder / "result.yaml") + content(folder / "course.csv") + trained(folder);
  }
};

class EveryWay : public SearchedRun, public ::testing::WithParamInterface<const char*> {
 protected:
  /// Kills a run as soon as an epoch of its search is kept.
  void run_and_kill(const std::string& more) const {
    const Command run{"run small.yaml --quiet " + more, here_.path()};
    const auto is_kept = [&] {
      std::error_code none;
      for (const auto& file : fs::recursive_directory_iterator{here_.path() / "broken", none})
        if (file.path().filename() == "search1.safetensors") return true;
      return false;
    };
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes{5};
    while (!is_kept() && std::chrono::steady_clock::now() < give_up)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    run.send(SIGKILL);
    EXPECT_EQ(run.wait().code, 128 + SIGKILL) << "it was over too soon";
  }
};

TEST_P(EveryWay, GivesTheSameBytesAtOneAndTwoJobsAndAfterBeingKilled) {
  const std::string how = std::string{GetParam()} + " analysis.figures=false ";
  const std::string one = made(folder(run(how + "--jobs 1 --output one")));
  EXPECT_THAT(one, HasSubstr("fuse0_width"));
  EXPECT_EQ(made(folder(run(how + "--jobs 2 --output two"))), one);
  const std::string broken = how + "--jobs 2 --output broken";
  run_and_kill(broken);
  const fs::path resumed = folder(run(broken + " --resume"));
  EXPECT_THAT(content(resumed / "log.txt"), HasSubstr("goes on where it was kept"));
  EXPECT_EQ(made(resumed), one);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, EveryWay,
    ::testing::Values("", "train.start=search", "searcher.constraint=lagrangian searcher.trials=1",
                      "searcher.mixture=soft searcher.constraint=lagrangian searcher.trials=1",
                      "'searcher={use: dnas, profile: paper, epochs: 8, batch: 32}'"));

TEST_F(SearchedRun, StartsTrainingsWithItsWeights) {
  const std::string once = "train.quantise=~ train.seeds=[1] analysis.figures=false ";
  const fs::path made = folder(run(once + "train.start=search"));
  const std::string weights = content(made / "weights" / "1-1.safetensors");
  EXPECT_NE(weights, content(folder(run(once)) / "weights" / "1-1.safetensors"));
  const Finished again =
      thimble_command("train " + made.string() + " --network 1 --output other", here_.path());
  EXPECT_EQ(again.code, 0) << again.errors;
  const auto line = again.output.find("other/trainings");
  ASSERT_NE(line, std::string::npos) << again.output;
  EXPECT_EQ(content(here_.path() / again.output.substr(line, again.output.find('\n', line) - line)),
            weights);
  const fs::path file = here_.path() / "start.safetensors";
  fs::copy_file(made / "weights" / "1-1.safetensors", file);
  const Finished onwards =
      thimble_command("check small.yaml train.start=start.safetensors", here_.path());
  EXPECT_EQ(onwards.code, 0) << onwards.errors;
  const fs::path from_file = folder(run(once + "train.start=start.safetensors"));
  fs::remove(file);
  const Finished evaluated =
      thimble_command("evaluate " + from_file.string() + " --network 1", here_.path());
  EXPECT_EQ(evaluated.code, 0) << "a run needs its file to train alone: " << evaluated.errors;
  const CsvTable networks = parse_csv(content(made / "candidates.csv"), "candidates.csv");
  const std::string arch = networks.rows[0][networks.column("arch")].text;
  const Finished without = thimble_command(
      "train small.yaml train.start=search --arch '" + arch + "' --output none", here_.path());
  EXPECT_EQ(without.code, 2) << without.errors;
  EXPECT_THAT(without.errors, HasSubstr("the weights of a search, and there are none"));
}

TEST_F(SearchedRun, TellsOfItsCourse) {
  const fs::path made = folder(run("train=~ searcher.epochs=4"));
  const CsvTable course = parse_csv(content(made / "course.csv"), "course.csv");
  ASSERT_EQ(course.rows.size(), 4U);
  for (std::size_t epoch = 0; epoch < 4; ++epoch) {
    const auto cell = [&](const char* column) {
      return course.rows[epoch][course.column(column)].text;
    };
    EXPECT_EQ(cell("epoch"), std::to_string(epoch + 1));
    EXPECT_GT(std::stod(cell("loss")), 0);
    EXPECT_EQ(cell("validation_loss").empty(), epoch == 0) << "a warm-up of one";
    EXPECT_GT(std::stod(cell("entropy")), 0);
    EXPECT_GT(std::stod(cell("latency_ms")), 0);
    EXPECT_LE(std::stod(cell("latency_ms")), 3) << "what is drawn keeps the limit";
  }
  const bool draws = std::system("command -v gnuplot >/dev/null") == 0;
  for (const std::string column : {"loss", "validation_loss", "entropy", "latency_ms"}) {
    EXPECT_TRUE(fs::exists(made / "figures" / ("search_" + column + ".gp"))) << column;
    if (draws) {
      EXPECT_TRUE(fs::exists(made / "figures" / ("search_" + column + ".png"))) << column;
    }
  }
}

/// Windows of one person: who is told what the search does for others would be misled.
TEST_F(SearchedRun, SaysThatItComparesOnOnePerson) {
  constexpr int kWindows = 120;
  std::vector<float> x;
  std::vector<std::uint8_t> y, person;
  Random random{1};
  for (int n = 0; n < kWindows; ++n) {
    y.push_back(static_cast<std::uint8_t>(n % 4));
    person.push_back(n < 100 ? 1 : 2);  // the second is for testing
    for (int i = 0; i < 32 * 3; ++i)
      x.push_back(static_cast<float>(random.normal() + y.back() * (i % 3)));
  }
  const fs::path data = here_.path() / "data";
  testing::write(data / "X.npy", testing::npy("<f4", "(120, 32, 3)", testing::bytes_of(x)));
  testing::write(data / "y.npy", testing::npy("|u1", "(120,)", testing::bytes_of(y)));
  testing::write(data / "person.npy", testing::npy("|u1", "(120,)", testing::bytes_of(person)));
  testing::write(data / "mine.yaml",
                 "{X: X.npy, y: y.npy, groups: person.npy, test_groups: [2], axes: NTC, "
                 "layout: rows}");
  const std::string of_mine =
      " 'dataset={use: arrays, file: mine.yaml}' train=~ searcher.epochs=2 searcher.trials=1";
  const auto said =
      HasSubstr("are of one person or recording, so networks are validated on its last");
  const Finished checked = thimble_command("check small.yaml" + of_mine, here_.path());
  EXPECT_EQ(checked.code, 0) << checked.errors;
  EXPECT_THAT(checked.output, said);
  EXPECT_THAT(content(folder(run(of_mine)) / "log.txt"), said);
  const Finished without =
      thimble_command("check small.yaml" + of_mine + " 'searcher={use: random}'", here_.path());
  EXPECT_THAT(without.output, ::testing::Not(said)) << "it compares nothing";
}

}  // namespace
}  // namespace thimble::dnas_run_test
