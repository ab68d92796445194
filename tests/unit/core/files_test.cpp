// Files and folders: what is in them, who else writes them, and where the system has none.

#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/utf8.hpp>

#include "support/world.hpp"

namespace thimble::files_test {
namespace {

using ::testing::HasSubstr;

/// An environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_{name} {
    if (const char* const before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST(PlainText, SkipsTheByteOrderMarkAndRefusesOtherEncodings) {
  EXPECT_EQ(plain_text("a", "f"), "a");
  EXPECT_EQ(plain_text("\xef\xbb\xbf"
                       "a",
                       "f"),
            "a");
  const auto refused = [](std::string_view text) {
    try {
      plain_text(text, "f");
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{"it was read"};
  };
  EXPECT_THAT(refused(std::string_view{"\xff\xfe"
                                       "a\0",
                                       4}),
              HasSubstr("f:1:1: error: text is UTF-16, not UTF-8"));
  EXPECT_THAT(refused("a\nb\xe9 c"), HasSubstr("f:2:2: error: not UTF-8 text"));
}

TEST(WriteFile, LetsThreadsWriteOneFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "file";
  constexpr int kTimes = 100;
  const auto write = [&](char letter) {
    for (int i = 0; i < kTimes; ++i) write_file(file, std::string(5000, letter));
  };
  {
    const std::jthread one{write, 'a'};
    const std::jthread other{write, 'b'};
  }
  const std::string text = read_file(file);
  EXPECT_TRUE(text == std::string(5000, 'a') || text == std::string(5000, 'b'));
  const std::filesystem::directory_iterator left{folder.path()};
  EXPECT_EQ(std::distance(begin(left), end(left)), 1);
}

TEST(MakeFolder, SaysOfTheUsersFolderWhyItCannotBe) {
  const TemporaryFolder folder;
  write_file(folder.path() / "file", "");
  EXPECT_THROW(make_folder(folder.path() / "file" / "x"), InputError);
}

TEST(MadeFolder, TakesOnlyItsOwnAwayAndOnlyWhileEmpty) {
  const TemporaryFolder folder;
  const auto first = folder.path() / "a" / "b";
  { const MadeFolder made{first / "c"}; }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a"));
  make_folder(first);
  { const MadeFolder made{first / "c" / "d"}; }
  EXPECT_TRUE(std::filesystem::is_empty(first));
  {
    const MadeFolder made{first / "c" / "d"};
    write_file(first / "c" / "file", "");
  }
  EXPECT_TRUE(std::filesystem::exists(first / "c" / "file"));
  EXPECT_FALSE(std::filesystem::exists(first / "c" / "d"));
}

TEST(WriteFiles, WritesAllOrNone) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "file";
  EXPECT_THROW(write_files({{file, "x"}, {folder.path() / "none" / "file", "x"}}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  write_files({{file, "x"}, {folder.path() / "other", "y"}});
  EXPECT_EQ(read_file(file) + read_file(folder.path() / "other"), "xy");
}

/// What a process that was killed had of a file goes when the file is written again; that of
/// others, and of other files, stays.
TEST(WriteFile, TakesRemainsAway) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.csv";
  const std::string over = std::to_string(std::numeric_limits<pid_t>::max());
  const std::string gone = "a.csv.part" + over + "-0-" + host_name();
  const std::vector<std::string> stay{
      "a.csv.part" + std::to_string(::getpid()) + "-99-" + host_name(),
      "a.csv.part" + over + "-0-elsewhere", "b.csv.part" + over + "-0-" + host_name(),
      "a.csv.parts"};
  for (const std::string& name : stay) std::ofstream{folder.path() / name} << "x";
  std::ofstream{folder.path() / gone} << "x";
  write_file(file, "whole");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / gone));
  for (const std::string& name : stay)
    EXPECT_TRUE(std::filesystem::exists(folder.path() / name)) << name;
  EXPECT_EQ(read_file(file), "whole");
}

TEST(RemoveUnfinished, LeavesWhatIsWhole) {
  const TemporaryFolder dir;
  make_folder(dir.path() / "below");
  for (const char* name :
       {"a.csv", "a.part", "a.csv.part12-3-here", "below/b.part4-5-there", "below/b.csv"})
    write_file(dir.path() / name, "x");
  remove_unfinished(dir.path());
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "a.csv"));
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "a.part"));
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "below/b.csv"));
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "a.csv.part12-3-here"));
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "below/b.part4-5-there"));
}

TEST(ReadFile, RefusesPipesThatNobodyMayEverWriteTo) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::filesystem::path& file : {pipe, std::filesystem::path{"/dev/zero"}}) try {
      read_file(file);
      FAIL() << "it was read";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("is a pipe or a device, not a file"));
    }
}

TEST(FileLock, EndsItsWaitWhenAskedToStop) {
  const TemporaryFolder folder;
  const FileLock held{folder.path() / "file"};
  request_stop();
  EXPECT_THROW(FileLock{folder.path() / "file"}, Interrupted);
  withdraw_stop();
}

TEST(Temporaries, NeedAFolderAndNameTheVariable) {
  const testing::TemporaryFolder folder;
  const Variable variable{"TMPDIR", (folder.path() / "none").string()};
  try {
    const TemporaryFolder made;
    FAIL() << "it was made in " << made.path();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no folder for temporary files"));
    EXPECT_THAT(error.what(), HasSubstr("TMPDIR"));
  }
}

TEST(Temporaries, LieInTheFolderThatIsNamed) {
  const testing::TemporaryFolder folder;
  const Variable variable{"TMPDIR", folder.path().string()};
  EXPECT_EQ(TemporaryFolder{}.path().parent_path(), folder.path());
}

}  // namespace
}  // namespace thimble::files_test
