#pragma once

#include <cstdint>

/// What the kernels of integer_kernels.inc take and give, whatever the instruction set.
namespace thimble {

/// The least and the most of some numbers.
struct Ends {
  std::int32_t least = 0;
  std::int32_t most = 0;
  bool operator==(const Ends&) const = default;
};

/// Sums of a layer with a bias and a factor a channel, channels running fastest. All is less the
/// output's zero point.
struct Requantising {
  std::int64_t rows;
  std::int64_t channels;
  const std::int32_t* bias;
  const std::int32_t* multiplier;
  const std::int32_t* shift;
  std::int32_t lowest;
  std::int32_t highest;
};

}  // namespace thimble
