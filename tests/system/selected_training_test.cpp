// PrototypeNAS's third step: five selected networks, each pruned to its decisions and made int8,
// stopped in the middle and gone on with.

#include <chrono>
#include <csignal>
#include <thread>

#include <gmock/gmock.h>

#include <support/training_run.hpp>

namespace thimble::selected_training_test {
namespace {

namespace fs = std::filesystem;
using testing::Command;
using testing::content;
using testing::Finished;
using testing::thimble_command;
using testing::TrainingRun;

constexpr const char* kFive =
    "seed=4 'search_space={use: superblocks, families: [mbednet_1d], channels: 1, height: 64, "
    "width: 9, classes: 6}' 'dataset={use: synthetic, channels: 1, height: 64, width: 9, classes: "
    "6, "
    "samples: 128, test_samples: 60}' 'searcher={use: random, samples: 12}' "
    "'objectives=[{minimize: macs}, {minimize: params}, {maximize: latency_ms}]' 'select={k: 5}' "
    "'train={profile: series, epochs: 3, seeds: [1], prune: {from: decisions, whole: false}, "
    "quantise: {method: qat, epochs: 2}}' --jobs 1 ";

class SelectedNetworks : public TrainingRun {
 protected:
  /// What a person reads of a run, and what is deployed of it.
  std::string told(const fs::path& folder) const {
    std::string all;
    for (const char* const file : {"trained.csv", "history.csv", "selected.csv", "report.md"})
      all += content(folder / file);
    std::vector<fs::path> weights{fs::directory_iterator{folder / "weights"}, {}};
    std::ranges::sort(weights);
    EXPECT_EQ(weights.size(), 5U);
    for (const fs::path& path : weights) all += path.filename().string() + content(path);
    return all;
  }

  /// Trainings that are done.
  std::ptrdiff_t done(const std::string& output) const {
    const fs::path trainings = here_.path() / output / "trainings";
    if (!fs::exists(trainings)) return 0;
    return std::ranges::count_if(fs::directory_iterator{trainings}, [](const auto& training) {
      return fs::exists(training.path() / "weights.safetensors");
    });
  }
};

TEST_F(SelectedNetworks, HaveTheSameTableAfterAnInterruptionInTheThird) {
  const fs::path made = folder(run(std::string{kFive} + "--output whole"));
  const std::string whole = told(made);
  for (const int signal : {SIGINT, SIGKILL}) {
    const std::string output = "broken" + std::to_string(signal);
    const Command broken{"run small.yaml --quiet " + std::string{kFive} + "--output " + output,
                         here_.path()};
    for (int tries = 0; tries < 60'000 && done(output) < 2; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    broken.send(signal);
    EXPECT_NE(broken.wait().code, 0) << "it was over before";
    EXPECT_LT(done(output), 5);
    EXPECT_EQ(told(folder(run(kFive + ("--output " + output) + " --resume"))), whole);
  }
  const std::string again = "train " + made.string() + " --network 12 --seed 3";
  EXPECT_THAT(thimble_command(again, here_.path()).output, ::testing::HasSubstr("\n| 12 "));
}

}  // namespace
}  // namespace thimble::selected_training_test
