// Files that one process at a time holds, also where the system has no locks.

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/held_file.hpp>
#include <thimble/core/process.hpp>

namespace {

bool has_locks = true;

}  // namespace

/// In place of the C library's, for the file systems of some clusters.
extern "C" __attribute__((visibility("default"))) int flock(int descriptor,
                                                            int operation) noexcept {
  if (has_locks) return static_cast<int>(::syscall(SYS_flock, descriptor, operation));
  errno = ENOLCK;
  return -1;
}

namespace thimble::held_file_test {
namespace {

class HeldFiles : public ::testing::TestWithParam<bool> {
 protected:
  HeldFiles() { has_locks = GetParam(); }
  ~HeldFiles() override { has_locks = true; }

  /// Another process that takes the file, tells whether it could, and waits to be killed.
  pid_t start_other() {
    int tells[2];
    EXPECT_EQ(::pipe(tells), 0);
    const pid_t process = ::fork();
    if (process == 0) {
      const auto held = HeldFile::take(file_);
      const char said = held ? 'y' : 'n';
      if (::write(tells[1], &said, 1) == 1) ::pause();
      ::_exit(0);
    }
    char said = 0;
    EXPECT_EQ(::read(tells[0], &said, 1), 1);
    EXPECT_EQ(said, 'y');
    ::close(tells[0]);
    ::close(tells[1]);
    return process;
  }

  static void kill_hard(pid_t process) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "a file";
  std::filesystem::path said_ = folder_.path() / "a file.held";
};

TEST_P(HeldFiles, AreHeldByOneProcessUntilItIsKilled) {
  const pid_t other = start_other();
  EXPECT_FALSE(HeldFile::take(file_));
  kill_hard(other);
  EXPECT_TRUE(HeldFile::take(file_));
}

TEST_P(HeldFiles, AreLetGoAndLeaveNothingBeside) {
  for (int i = 0; i < 3; ++i) {
    const auto held = HeldFile::take(file_);
    ASSERT_TRUE(held);
    EXPECT_EQ(std::filesystem::exists(said_), !GetParam());
  }
  EXPECT_FALSE(std::filesystem::exists(said_));
}

TEST_P(HeldFiles, ServeLocks) {
  { const FileLock lock{file_}; }
  const FileLock again{file_};
  EXPECT_FALSE(HeldFile::take(file_.string() + ".lock"));
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutLocks, HeldFiles, ::testing::Bool());

class WithoutLocks : public HeldFiles {};
INSTANTIATE_TEST_SUITE_P(Alone, WithoutLocks, ::testing::Values(false));

TEST_P(WithoutLocks, AProcessOfAnotherMachineCountsUntilAPersonSaysOtherwise) {
  std::ofstream{said_} << "12 node3\n";
  EXPECT_FALSE(HeldFile::take(file_));
  EXPECT_EQ(who_holds(file_),
            "; " + said_.string() + " names process 12 of node3: if that is over, remove it");
  std::filesystem::remove(said_);
  EXPECT_TRUE(HeldFile::take(file_));
  EXPECT_EQ(who_holds(file_), "");
}

TEST_P(WithoutLocks, AProcessOfThisMachineThatIsGoneCountsNoMore) {
  std::ofstream{said_} << "99999999 " << host_name() << "\n";
  EXPECT_TRUE(HeldFile::take(file_));
}

TEST_P(WithoutLocks, WhereNothingCanBeWrittenIsOneError) {
  EXPECT_THROW(HeldFile::take(folder_.path() / "none" / "file"), Error);
}

}  // namespace
}  // namespace thimble::held_file_test
