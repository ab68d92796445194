#include <gmock/gmock.h>

#include <thimble/nn/arithmetic.hpp>
#include <thimble/nn/threads.hpp>

namespace thimble::arithmetic_test {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(ArithmeticTest, NamesBitsProcessorAndLibraries) {
  EXPECT_THAT(own_arithmetic().bits, MatchesRegex("[0-9a-f]{16}"));
  EXPECT_THAT(own_arithmetic().words, HasSubstr(blas_name()));
  EXPECT_THAT(own_arithmetic().words, HasSubstr("LibTorch "));
  EXPECT_THAT(own_arithmetic().words, ::testing::Not(HasSubstr("unknown")));
  EXPECT_EQ(own_arithmetic().text(), own_arithmetic().bits + " (" + own_arithmetic().words + ")");
}

/// As a run folder of another machine or installation has it.
std::string recorded(const std::string& from, const std::string& to) {
  std::string words = own_arithmetic().words;
  const auto found = words.find(from);
  EXPECT_NE(found, std::string::npos) << words;
  return "0123456789abcdef (" + words.replace(found, from.size(), to) + ")";
}

TEST(ArithmeticTest, DiffersFromThatOfAnotherLibTorchByItsName) {
  EXPECT_THAT(difference_from_own_arithmetic(recorded("LibTorch ", "LibTorch 0.")),
              MatchesRegex("LibTorch 0\\.[^;]* there, LibTorch [12]\\.[^;]* here"));
  EXPECT_THAT(difference_from_own_arithmetic(recorded(blas_name(), "MKL")),
              "MKL there, " + blas_name() + " here");
}

TEST(ArithmeticTest, ShowsAllWhenOnlyBitsDiffer) {
  const std::string known = recorded("LibTorch ", "LibTorch ");
  EXPECT_EQ(difference_from_own_arithmetic(known),
            known + " there, " + own_arithmetic().text() + " here");
  EXPECT_EQ(difference_from_own_arithmetic("0123"),
            "0123 there, " + own_arithmetic().text() + " here");
}

TEST(ArithmeticTest, DoesNotDifferFromItselfNorFromWhatNobodyWroteDown) {
  EXPECT_EQ(difference_from_own_arithmetic(own_arithmetic().text()), "");
  EXPECT_EQ(difference_from_own_arithmetic(""), "");
}

}  // namespace
}  // namespace thimble::arithmetic_test
