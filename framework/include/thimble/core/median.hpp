#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace thimble {

/// Of sorted numbers, of which there must be some: the one in the middle, or the mean of two.
template <class Number>
double median(const std::vector<Number>& sorted) {
  const auto n = sorted.size();
  return (static_cast<double>(sorted[(n - 1) / 2]) + static_cast<double>(sorted[n / 2])) / 2;
}

/// Of `count` sorted numbers, of which there must be some: the place of the least that this share
/// of them does not exceed.
inline std::size_t place_of_share(double share, std::size_t count) {
  return static_cast<std::size_t>(std::ceil(share * static_cast<double>(count))) - 1;
}

}  // namespace thimble
