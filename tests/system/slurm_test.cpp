// Runs on a cluster of three nodes, whose processes and nodes are killed.

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <support/farmed.hpp>
#include <support/program.hpp>
#include <support/slurm.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/farm/farm.hpp>

namespace thimble::slurm_test {
namespace {

namespace fs = std::filesystem;
using testing::farmed_results;
using testing::Finished;
using ::testing::HasSubstr;
using testing::thimble_program;

class SlurmRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    slurm_ = std::make_unique<testing::Slurm>();
    if (!slurm_->missing().empty()) return;
    folder_ = std::make_unique<testing::TemporaryFolder>();
    here_ = folder_->path() / "a path with blanks";
    make_folder(here_);
    write_file(here_ / "sweep.yaml", testing::kFarmedSweep);
    write_file(here_ / "engine.yaml", "partition: main\ncpus: 1\ntime: 0:30:00\n");
    whole_ = farmed_results(finished_folder(run_words("sweep.yaml --jobs 1 --output one")));
  }
  static void TearDownTestSuite() {
    slurm_.reset();
    folder_.reset();
  }
  void SetUp() override {
    if (!slurm_->missing().empty()) GTEST_SKIP() << slurm_->missing();
  }

  static Finished run_words(const std::string& words) {
    return thimble_program("run -q " + words, here_, slurm_->environment());
  }
  static Finished run_on_slurm(const std::string& words) {
    return run_words("--engine slurm --engine-file engine.yaml " + words);
  }
  static fs::path finished_folder(const Finished& finished) {
    EXPECT_EQ(finished.code, 0) << finished.errors;
    return here_ / trimmed(finished.output);
  }

  /// The only run in a folder for output, as soon as there is one.
  static fs::path run_in(const std::string& output) {
    for (int i = 0; i < 600; ++i) {
      std::error_code none;
      for (fs::directory_iterator it{here_ / output / "sweep", none}, end; !none && it != end; ++it)
        return it->path();
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    return {};
  }

  /// Waits until so many workers have some values.
  static void wait_for_values(const fs::path& run, std::int64_t workers) {
    for (int i = 0; i < 1200; ++i) {
      const auto shards = shards_of(run);
      if (std::ranges::count_if(
              shards, [](const fs::path& file) { return fs::file_size(file) > 4000; }) >= workers)
        return;
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    ADD_FAILURE() << "no " << workers << " workers in " << run;
  }

  /// No value that was in a shard has been computed again for its part.
  static void expect_nothing_twice(const fs::path& run) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const fs::path& file : shards_of(run)) {
      ShardReader shard{file};
      shard.read_on();
      for (const StoredValue& stored : shard.values())
        EXPECT_TRUE(seen.emplace(shard.worker().part, stored.candidate + stored.proxy).second)
            << file;
    }
  }

  static inline std::unique_ptr<testing::Slurm> slurm_;
  static inline std::unique_ptr<testing::TemporaryFolder> folder_;
  static inline fs::path here_;
  static inline std::map<std::string, std::string> whole_;
};

TEST_F(SlurmRun, GivesTheSameBytesAsOneProcess) {
  const fs::path run = finished_folder(run_on_slurm("sweep.yaml --output nodes"));
  EXPECT_EQ(farmed_results(run), whole_);
  EXPECT_EQ(shards_of(run).size(), 4U);
  EXPECT_THAT(thimble_program("farm status '" + run.string() + "'").output,
              HasSubstr("4 of 4 parts done; the last array is "));
}

/// Whoever has an allocation uses all of its nodes, and steps need no queue.
TEST_F(SlurmRun, InAnAllocationItsStepsComputeTheParts) {
  const Finished finished = testing::shell("export " + slurm_->environment() +
                                               "\nexec salloc --quiet -N 3 --cpus-per-task=1 '" +
                                               THIMBLE_TEST_PROGRAM
                                               "' run -q sweep.yaml --engine srun "
                                               "--engine-file engine.yaml --output steps",
                                           here_);
  const fs::path run = finished_folder(finished);
  EXPECT_EQ(farmed_results(run), whole_);
  EXPECT_EQ(shards_of(run).size(), 4U);
  EXPECT_THAT(run_words("sweep.yaml --engine srun").errors,
              HasSubstr("engine srun needs an allocation of Slurm, and here is none"));
}

/// A worker, a whole node, and who asked for them.
TEST_F(SlurmRun, GivesTheSameBytesWhenAWorkerANodeAndTheCoordinatorAreKilled) {
  std::thread coordinator{[] {
    testing::shell("echo $$ > coordinator; " + slurm_->environment() +
                       " exec '" THIMBLE_TEST_PROGRAM
                       "' run -q --engine slurm --engine-file engine.yaml sweep.yaml "
                       "searcher.samples=300 --output killed",
                   here_);
  }};
  const fs::path run = run_in("killed");
  wait_for_values(run, 3);
  const auto shards = shards_of(run);
  testing::shell("kill -9 " + split(shards[0].filename().string(), '.').at(2), here_);
  slurm_->kill_node("n2");
  testing::shell("kill -9 $(cat coordinator)", here_);
  coordinator.join();
  // Slurm notices a lost node by itself, and then waits for two minutes. A test need not.
  for (int i = 0; i < 300; ++i) {
    if (slurm_->command("squeue --noheader --states=running --nodelist=n2").output.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  slurm_->start_node("n2");
  std::this_thread::sleep_for(std::chrono::seconds{1});
  slurm_->start_pending();
  const auto whole = farmed_results(
      finished_folder(run_words("sweep.yaml searcher.samples=300 --jobs 1 --output one")));
  const fs::path resumed =
      finished_folder(run_on_slurm("sweep.yaml searcher.samples=300 --output killed --resume"));
  EXPECT_EQ(resumed, run);
  EXPECT_EQ(farmed_results(resumed), whole);
  EXPECT_GT(shards_of(run).size(), 4U);
  expect_nothing_twice(run);
}

TEST_F(SlurmRun, GivesTheSameBytesWhenAllWorkersArePreempted) {
  std::atomic<bool> is_over = false;
  std::thread coordinator{[&] {
    const fs::path run = finished_folder(run_on_slurm("sweep.yaml --output preempted"));
    EXPECT_EQ(farmed_results(run), whole_);
    is_over = true;
  }};
  const fs::path run = run_in("preempted");
  wait_for_values(run, 2);
  slurm_->command(
      "scontrol requeue $(squeue --noheader --states=running --format=%i -r | tr '\\n' ,)");
  for (; !is_over; std::this_thread::sleep_for(std::chrono::milliseconds{500}))
    slurm_->start_pending();
  coordinator.join();
  EXPECT_GT(shards_of(run).size(), 4U);
  expect_nothing_twice(run);
}

/// The cluster takes arrays of five.
TEST_F(SlurmRun, SplitsArraysThatAreTooLarge) {
  const fs::path run = finished_folder(run_on_slurm(
      "sweep.yaml 'sweep.seed=[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23]' "
      "searcher.samples=2 --output split"));
  EXPECT_EQ(shards_of(run).size(), 23U);
  EXPECT_EQ(submitted_arrays(run).size(), 5U);
}

TEST_F(SlurmRun, FinishesARunThatNobodyWaitsFor) {
  const Finished detached = run_on_slurm("sweep.yaml --output detached --detach");
  ASSERT_EQ(detached.code, 0) << detached.errors;
  EXPECT_THAT(detached.output, HasSubstr("thimble farm status"));
  const fs::path run = run_in("detached");
  for (int i = 0; i < 600 && !fs::exists(run / "report.html"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  EXPECT_EQ(farmed_results(run), whole_);
}

TEST_F(SlurmRun, ShowsTheScriptTheArraysAndTheCostBeforehand) {
  const std::string words =
      "check sweep.yaml --engine slurm --engine-file engine.yaml 'sweep.seed=[1,2,3,4,5,6]'";
  const Finished check = thimble_program(words, here_, slurm_->environment());
  EXPECT_EQ(check.code, 0) << check.errors;
  for (const char* const part : {"--array=0-4", "--partition=main", "point-005-KEY", "'work' 'RUN'",
                                 "6 tasks in 2 arrays: at most 3.0 CPU hours", "to start at"})
    EXPECT_THAT(check.output, HasSubstr(part));
  EXPECT_EQ(slurm_->command("squeue --noheader").output, "");
}

TEST_F(SlurmRun, WhatSlurmRefusesIsSaidInItsWordsAndLeavesNothing) {
  write_file(here_ / "bad.yaml", "partition: nope\n");
  const Finished finished =
      run_words("--engine slurm --engine-file bad.yaml sweep.yaml --output refused");
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("sbatch refuses: sbatch: error: invalid partition "
                                         "specified: nope"));
  EXPECT_FALSE(fs::exists(here_ / "refused"));
}

TEST_F(SlurmRun, NodesOfOtherArithmeticAreRefusedWithTheRemedy) {
  write_file(here_ / "alien.yaml", "setup: [export OPENBLAS_CORETYPE=Sandybridge]\n");
  const Finished finished =
      run_words("--engine slurm --engine-file alien.yaml sweep.yaml --output alien");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.errors, HasSubstr("computes with other arithmetic than the run"));
  EXPECT_THAT(finished.errors, HasSubstr("begin the run with --arithmetic avx2"));
  const fs::path pinned = finished_folder(run_words(
      "--engine slurm --engine-file alien.yaml sweep.yaml --output pinned --arithmetic avx2"));
  EXPECT_EQ(shards_of(pinned).size(), 4U);
}

TEST_F(SlurmRun, NamesWhatNoNodeCanStart) {
  write_file(here_ / "broken.yaml", "setup: [module load what-there-is-not, exit 3]\n");
  const Finished finished =
      run_words("--engine slurm --engine-file broken.yaml sweep.yaml --output broken");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.errors, HasSubstr("cannot be computed: no worker of it has begun"));
  EXPECT_THAT(finished.errors, HasSubstr("module: command not found"));
}

}  // namespace
}  // namespace thimble::slurm_test
