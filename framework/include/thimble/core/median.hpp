#pragma once

#include <vector>

namespace thimble {

/// Of sorted numbers, of which there must be some: the one in the middle, or the mean of two.
template <class Number>
double median(const std::vector<Number>& sorted) {
  const auto n = sorted.size();
  return (static_cast<double>(sorted[(n - 1) / 2]) + static_cast<double>(sorted[n / 2])) / 2;
}

}  // namespace thimble
