#pragma once

#include <string>

#include <thimble/core/export.hpp>

namespace thimble {

/// How this process computes: numbers from processors, libraries or kernels that differ are not the
/// same to the last bit.
struct Arithmetic {
  std::string bits;   ///< fingerprint of what a fixed piece of work gives
  std::string words;  ///< processor, BLAS, and LibTorch with its instruction set

  std::string text() const { return bits + " (" + words + ")"; }
};

/// Of this process; found out once, in some milliseconds. Thread safe.
THIMBLE_EXPORT const Arithmetic& own_arithmetic();

}  // namespace thimble
