#pragma once

#include <span>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// Ranks from 1, the least, to the number of values; equal ones share the mean of theirs.
THIMBLE_EXPORT std::vector<double> mid_ranks(std::span<const double> values);

}  // namespace thimble
