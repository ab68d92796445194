#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/utf8.hpp>

namespace thimble {
namespace {

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
              testing::HasSubstr("f:1:1: error: UTF-16, not UTF-8 text"));
  EXPECT_THAT(refused("a\nb\xe9 c"), testing::HasSubstr("f:2:2: error: not UTF-8 text"));
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

TEST(MakeFolders, SaysOfTheUsersFolderWhyItCannotBe) {
  const TemporaryFolder folder;
  write_file(folder.path() / "file", "");
  EXPECT_THROW(make_folders(folder.path() / "file" / "x"), InputError);
}

TEST(FileLock, EndsItsWaitWhenAskedToStop) {
  const TemporaryFolder folder;
  const FileLock held{folder.path() / "file"};
  request_stop();
  EXPECT_THROW(FileLock{folder.path() / "file"}, Interrupted);
  withdraw_stop();
}

}  // namespace
}  // namespace thimble
