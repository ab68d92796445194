// What is told of work that lasts, by a clock made up here.

#include <chrono>

#include <gmock/gmock.h>

#include <progress.hpp>

namespace thimble::progress_test {
namespace {

/// Standard error is a file while a test catches it, not a terminal: a line every ten seconds.
class ProgressLines : public ::testing::Test {
 protected:
  void wait(int seconds) { now_ += std::chrono::seconds{seconds}; }

  std::string said(const std::function<void()>& work) const {
    ::testing::internal::CaptureStderr();
    work();
    return ::testing::internal::GetCapturedStderr();
  }

  cli::Progress progress(bool is_quiet = false) const {
    return cli::Progress{is_quiet, [this] { return now_; }};
  }

 private:
  cli::Progress::Clock::time_point now_{std::chrono::hours{1}};
};

TEST_F(ProgressLines, TellTheTimeThatIsLeftOfTrainings) {
  const std::string lines = said([&] {
    cli::Progress telling = progress();
    telling.trained(0, 60);
    wait(9);
    telling.trained(4, 60);  // too soon
    wait(11);
    telling.trained(10, 60);
    wait(20);
    telling.trained(58, 60);
    wait(10);
    telling.trained(60, 60);
  });
  EXPECT_EQ(lines,
            "training: 0 of 60 epochs\n"
            "training: 10 of 60 epochs, 2.0 s each, 100 s left\n"
            "training: 58 of 60 epochs, 1.4 a second, 1 s left\n"
            "training: 60 of 60 epochs, 1.2 a second\n");
}

/// Epochs of an earlier process, which are told of first, took this one no time.
TEST_F(ProgressLines, CountTheWorkOfThisProcess) {
  const std::string lines = said([&] {
    cli::Progress telling = progress();
    telling.trained(40, 60);
    wait(20);
    telling.trained(45, 60);
  });
  EXPECT_THAT(lines, ::testing::EndsWith("training: 45 of 60 epochs, 4.0 s each, 60 s left\n"));
}

TEST_F(ProgressLines, BeginAnewWithOtherWork) {
  const std::string lines = said([&] {
    cli::Progress telling = progress();
    telling.scored(0, 0, 0, 2);
    wait(10);
    telling.scored(50, 0, 0, 2);
    wait(10);
    telling.farmed(1, 8);
    wait(30);
    telling.farmed(3, 8);
  });
  EXPECT_EQ(lines,
            "point 1 of 2: 0 done\n"
            "point 1 of 2: 50 done, 5.0 a second\n"
            "farm: 1 of 8 parts\n"
            "farm: 3 of 8 parts, 15.0 s each, 75 s left\n");
}

TEST_F(ProgressLines, AreLeftOutWhereNothingIsToBeSaid) {
  EXPECT_EQ(said([&] {
              cli::Progress telling = progress(true);
              telling.trained(0, 60);
              telling.say("a remark");
            }),
            "");
}

}  // namespace
}  // namespace thimble::progress_test
