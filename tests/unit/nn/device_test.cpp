#include <gtest/gtest.h>

#include <torch/cuda.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/arithmetic.hpp>
#include <thimble/nn/propagation/device.hpp>

namespace thimble::device_test {
namespace {

TEST(Device, IsCalledAsOnTheCommandLine) {
  EXPECT_TRUE(device_named("cpu").is_cpu());
  EXPECT_FALSE(device_named("plain").is_cpu());
  EXPECT_EQ(device_named("cuda:3").kind(), "cuda");
  EXPECT_EQ(device_named("cuda").kind(), "cuda");
  EXPECT_EQ(device_named("auto").is_cpu(), !torch::cuda::is_available());
  for (const char* const word : {"", "CUDA", "cuda:", "cuda:x", "cuda1", "gpu", "cpu:0"})
    EXPECT_THROW(device_named(word), InputError) << word;
}

TEST(Device, IsThereOrRefused) {
  EXPECT_NO_THROW(require_here({}));
  EXPECT_NO_THROW(require_here({"plain"}));
  EXPECT_NO_THROW(require_here(device_named("auto")));
  for (const char* const name : {"cuda:999", "cuda:-1"})
    EXPECT_THROW(require_here(device_named(name)), InputError) << name;
}

TEST(Device, HasArithmeticOfItsOwn) {
  EXPECT_EQ(bits_on({}), "");
  EXPECT_NE(bits_on({"plain"}), "");
  EXPECT_EQ(bits_on({"plain"}), bits_on({"plain"}));
}

}  // namespace
}  // namespace thimble::device_test
