#include <gtest/gtest.h>

#include <nn/torch_config.hpp>
#include <thimble/nn/threads.hpp>

namespace thimble::torch_config_test {
namespace {

/// What at::show_config() of LibTorch's zips for Linux says.
constexpr const char* kUpstream =
    "PyTorch built with:\n"
    "  - GCC 9.3\n"
    "  - C++ Version: 201703\n"
    "  - Intel(R) oneAPI Math Kernel Library Version 2024.2-Product Build 20240605 for Intel(R) 64 "
    "architecture applications\n"
    "  - CPU capability usage: AVX512\n"
    "  - Build settings: BLAS_INFO=mkl, BUILD_TYPE=Release, LAPACK_INFO=mkl, TORCH_VERSION=2.6.0, "
    "\n";

TEST(TorchConfig, TheBlasOfLibTorchsZipsIsMkl) {
  EXPECT_EQ(built_in_blas(kUpstream), "MKL 2024.2");
}

TEST(TorchConfig, TheBlasMayBeAnotherThatLibTorchWasBuiltWith) {
  EXPECT_EQ(built_in_blas("  - Build settings: BLAS_INFO=accelerate, BUILD_TYPE=Release\n"),
            "accelerate");
}

TEST(TorchConfig, StatesWhatStandsBehindAText) {
  EXPECT_EQ(stated(kUpstream, "TORCH_VERSION=", ","), "2.6.0");
  EXPECT_EQ(stated(kUpstream, "CPU capability usage: ", "\n"), "AVX512");
  EXPECT_EQ(stated(kUpstream, "no such text", ","), "");
}

/// Debian's is built for any; what OpenBLAS computes with is known to itself.
TEST(TorchConfig, TheBlasOfTheSystemIsAskedItself) {
  EXPECT_EQ(built_in_blas("  - Build settings: BLAS_INFO=generic, BUILD_TYPE=Release\n"), "");
  EXPECT_EQ(built_in_blas("  - Build settings: BLAS_INFO=open, BUILD_TYPE=Release\n"), "");
  EXPECT_EQ(built_in_blas(""), "");
}

TEST(TorchConfig, OnlyTheReferenceBlasIsSlow) {
  EXPECT_EQ(is_blas_fast(), !blas_name().starts_with("reference BLAS"));
}

}  // namespace
}  // namespace thimble::torch_config_test
