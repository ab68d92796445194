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

}  // namespace
}  // namespace thimble::arithmetic_test
