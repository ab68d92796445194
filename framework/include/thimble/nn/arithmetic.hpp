#pragma once

#include <string>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/device.hpp>

namespace thimble {

/// How this process computes: numbers from processors, libraries or kernels that differ are not the
/// same to the last bit.
struct Arithmetic {
  std::string
      bits;  ///< fingerprint of LibTorch's version, the BLAS and what a fixed piece of work gives
  std::string words;  ///< processor, BLAS, and LibTorch with its instruction set

  std::string text() const { return bits + " (" + words + ")"; }
};

/// Of this process; found out once, in some milliseconds. Thread safe.
THIMBLE_EXPORT const Arithmetic& own_arithmetic();

/// How a recorded text() differs from this process's: "LibTorch 1.13.0, AVX2 there, LibTorch 2.6.0,
/// AVX2 here". Nothing when numbers are the same to the last bit, or nothing was recorded.
THIMBLE_EXPORT std::string difference_from_own_arithmetic(const std::string& recorded);

/// A fingerprint of what small passes give on a device; empty for the CPU, of which
/// own_arithmetic() tells.
THIMBLE_EXPORT std::string bits_on(const Device& device);

}  // namespace thimble
