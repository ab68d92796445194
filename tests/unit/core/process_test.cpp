#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/world.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/stop.hpp>

namespace thimble::process_test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using End = ProcessResult::End;

ProcessResult shell(const std::string& script, const ProcessLimits& limits = {.time = 30s},
                    const std::filesystem::path& folder = "/") {
  return run_process("/bin/sh", {"-c", script}, folder, limits);
}

/// Waits for the end of a process that is not our child.
bool ends(pid_t process) {
  const int alive = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  if (alive < 0) return true;
  pollfd event{alive, POLLIN, 0};
  const bool has_ended = poll(&event, 1, 20'000) == 1;
  close(alive);
  return has_ended;
}

TEST(Process, GivesStatusOutputAndErrors) {
  const ProcessResult result = shell("echo out; echo bad >&2; exit 7");
  EXPECT_EQ(result.end, End::exited);
  EXPECT_EQ(result.code, 7);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "bad\n");
  EXPECT_EQ(failure_text("sh", result, {}), "sh failed with code 7: bad");
}

TEST(Process, RunsInItsFolderAndWithoutInput) {
  const testing::TemporaryFolder folder;
  const ProcessResult result = shell("pwd; cat; touch made", {.time = 30s}, folder.path());
  EXPECT_EQ(result.output, std::filesystem::canonical(folder.path()).string() + "\n");
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "made"));
}

TEST(Process, TakesArgumentsAsTheyAre) {
  const auto result = run_process("/usr/bin/printf", {"%s|", "a b", "$HOME", "'\""}, "/");
  EXPECT_EQ(result.output, "a b|$HOME|'\"|");
}

/// Pipes hold 64 KiB: who reads one after the other waits for ever.
TEST(Process, ReadsBothPipesAtOnce) {
  const auto result = shell("head -c 300000 /dev/zero >&2; head -c 400000 /dev/zero");
  EXPECT_EQ(result.output.size(), 400'000U);
  EXPECT_EQ(result.errors.size(), 300'000U);
}

TEST(Process, EndsAtItsTimeWithItsChildren) {
  const testing::TemporaryFolder folder;
  const auto begin = std::chrono::steady_clock::now();
  const ProcessLimits limits{.time = 200ms};
  const auto result = shell("sleep 1000 & echo $! > child; wait", limits, folder.path());
  EXPECT_EQ(result.end, End::out_of_time);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_EQ(failure_text("sh", result, limits), "sh took more than 0.2 s");
  const pid_t child = std::stoi(read_file(folder.path() / "child"));
  EXPECT_TRUE(ends(child)) << "the child still runs";
}

TEST(Process, EndsWhenAskedToStop) {
  std::thread asks{[] {
    std::this_thread::sleep_for(200ms);
    request_stop();
  }};
  const testing::TemporaryFolder folder;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THROW(shell("sleep 60 & echo $! >child; wait", {.time = 60s}, folder.path()), Interrupted);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  asks.join();
  EXPECT_TRUE(ends(static_cast<pid_t>(std::stoi(read_file(folder.path() / "child")))));
  withdraw_stop();
}

TEST(Process, DoesNotWaitForGrandchildrenThatHoldItsOutput) {
  const testing::TemporaryFolder folder;
  const auto begin = std::chrono::steady_clock::now();
  const auto result =
      shell("sleep 1000 & echo $! > child; echo done", {.time = 100s}, folder.path());
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(result.output, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 50s);
  kill(std::stoi(read_file(folder.path() / "child")), SIGKILL);
}

TEST(Process, EndsWhenItPrintsTooMuch) {
  const ProcessLimits limits{.time = 60s, .output_bytes = 1000};
  for (const char* const script : {"yes", "yes >&2"}) {
    const auto result = shell(script, limits);
    EXPECT_EQ(result.end, End::too_much_output) << script;
    EXPECT_EQ(result.output.size() + result.errors.size(), 1000U) << script;
    EXPECT_EQ(failure_text("yes", result, limits), "yes printed more than 1000 bytes");
  }
}

TEST(Process, CannotFillTheDisk) {
  const testing::TemporaryFolder folder;
  const ProcessLimits limits{.time = 60s, .file_bytes = 5000};
  shell("cat /dev/zero > big", limits, folder.path());
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "big"), 5000U);
}

TEST(Process, TellsTheSignalThatKilledIt) {
  const auto result = shell("kill -SEGV $$");
  EXPECT_EQ(result.end, End::killed);
  EXPECT_EQ(result.code, SIGSEGV);
  EXPECT_EQ(failure_text("sh", result, {}), "sh was killed by signal 11");
}

std::string start_error(const std::string& program, const std::string& folder) {
  try {
    run_process(program, {}, folder);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Process, SaysWhyItCannotStart) {
  EXPECT_THAT(start_error("/no/such", "/"),
              HasSubstr("cannot start '/no/such': No such file or directory"));
  EXPECT_THAT(start_error("/etc/passwd", "/"), HasSubstr("Permission denied"));
  EXPECT_THAT(start_error("/bin/true", "/no/folder"), HasSubstr("No such file or directory"));
}

TEST(Process, LeavesNoZombiesBehind) {
  for (int i = 0; i < 5; ++i) shell("exit 1");
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "there is a child left";
}

TEST(Process, RunsManyAtATime) {
  std::vector<std::thread> threads;
  std::vector<std::string> outputs(8);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    threads.emplace_back([&outputs, i] {
      for (int repeat = 0; repeat < 10; ++repeat)
        outputs[i] += shell("echo " + std::to_string(i)).output;
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::string expected;
    for (int repeat = 0; repeat < 10; ++repeat) expected += std::to_string(i) + "\n";
    EXPECT_EQ(outputs[i], expected);
  }
}

/// kill -9 leaves us no time to clean up: the system does it.
TEST(Process, DiesWithItsParent) {
  const testing::TemporaryFolder folder;
  const pid_t parent = fork();
  if (parent == 0) {
    shell("echo $$ > part; mv part started; sleep 1000", {.time = 1000s}, folder.path());
    std::_Exit(0);
  }
  const auto started = folder.path() / "started";
  for (int i = 0; i < 2000 && !std::filesystem::exists(started); ++i)
    std::this_thread::sleep_for(10ms);
  const pid_t child = std::stoi(read_file(started));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(ends(child)) << "the program outlives who started it";
}

TEST(FindProgram, LooksWhereTheShellLooks) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_FALSE(find_program("no-such-program-anywhere"));
}

}  // namespace
}  // namespace thimble::process_test
