// Trainings while something keeps them from writing.

#include <array>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include <support/training_run.hpp>

namespace thimble::hindered_training_test {
namespace {

namespace fs = std::filesystem;
using testing::content;
using testing::Finished;
using ::testing::HasSubstr;
using testing::kTrain;
using testing::TrainingRun;

/// Root writes where nobody may, but for this capability; others have none to lose.
class NoOverride {
 public:
  NoOverride() {
    ::syscall(SYS_capget, &header_, before_.data());
    auto without = before_;
    without[0].effective &= ~(1U << CAP_DAC_OVERRIDE);
    ::syscall(SYS_capset, &header_, without.data());
  }
  ~NoOverride() { ::syscall(SYS_capset, &header_, before_.data()); }
  NoOverride(const NoOverride&) = delete;
  NoOverride& operator=(const NoOverride&) = delete;

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> before_{};
};

/// Files may grow to this, and no further.
class LargestFile {
 public:
  explicit LargestFile(rlim_t bytes) : handler_{std::signal(SIGXFSZ, SIG_IGN)} {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~LargestFile() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  LargestFile(const LargestFile&) = delete;
  LargestFile& operator=(const LargestFile&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

/// Trainings that are added to a search which is over, while something keeps them from writing.
class HinderedTraining : public TrainingRun {
 protected:
  /// `hinder()` gives what is in the way while it lives.
  template <class Hinder>
  void expect_nothing_lost(const Hinder& hinder, int code, int errors,
                           const std::string& why) const {
    const fs::path made = folder(run(""));
    const std::string searched = content(made / "candidates.csv");
    const auto failed = [&] {
      const auto in_the_way = hinder();
      return run(std::string{kTrain} + "--resume");
    }();
    EXPECT_EQ(failed.code, code) << failed.errors;
    const std::regex error{"error: .*" + why + "\n"};
    const std::sregex_iterator found{failed.errors.begin(), failed.errors.end(), error};
    EXPECT_EQ(std::distance(found, {}), errors) << failed.errors;
    EXPECT_EQ(content(made / "candidates.csv"), searched);
    const std::string expected = trained(folder(run(std::string{kTrain} + "--output other")));
    EXPECT_EQ(folder(run(std::string{kTrain} + "--resume")), made);
    EXPECT_EQ(trained(made), expected);
  }
};

TEST_F(HinderedTraining, LosesNothingInAFolderThatIsReadOnly) {
  const fs::path trainings = here_.path() / "runs/trainings";
  fs::create_directories(trainings);
  const auto hinder = [&] {
    fs::permissions(trainings, fs::perms::owner_read | fs::perms::owner_exec);
    return std::make_unique<NoOverride>();
  };
  expect_nothing_lost(hinder, 2, 1, "Permission denied");
}

/// What a search leaves fits into 128 KiB, a checkpoint does not: an error for each of two seeds.
TEST_F(HinderedTraining, LosesNothingWhereTheDiskIsFull) {
  const auto hinder = [] { return std::make_unique<LargestFile>(131072); };
  expect_nothing_lost(hinder, 1, 2, "checkpoint.safetensors': File too large");
}

TEST_F(TrainingRun, LeavesNothingHalfWhereItCannotWrite) {
  std::ofstream{here_.path() / "file"} << "not a folder";
  fs::create_directories(here_.path() / "runs");
  std::ofstream{here_.path() / "runs" / "trainings"} << "not a folder";
  const Finished finished = run(kTrain);
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("trainings"));
  fs::remove(here_.path() / "runs" / "trainings");
  EXPECT_EQ(run(std::string{kTrain} + "--resume").code, 0);
}

}  // namespace
}  // namespace thimble::hindered_training_test
