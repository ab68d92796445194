#pragma once

#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// Which range of the values that a tensor was seen to have its integers are to span.
enum class RangeRule {
  extremes,     ///< all of them
  percentile,   ///< but for a share at either end
  mean_square,  ///< the range that leaves the smallest mean squared error
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, RangeRule>>& names_of(RangeRule);

}  // namespace thimble
