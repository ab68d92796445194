#pragma once

#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// What samples are, which decides how they may be altered and trained on.
enum class Medium {
  images,
  series,  ///< time along the height, or along the width where the height is 1
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Medium>>& names_of(Medium);

}  // namespace thimble
