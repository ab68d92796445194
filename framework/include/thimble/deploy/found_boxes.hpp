#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>

namespace thimble {

/// Most boxes that a board looks at: the best of an image.
inline constexpr int kMostBoxes = 64;

/// A box as a board tells it, by whole numbers, so that every board tells the same.
struct FoundBox {
  std::int32_t left = 0;  ///< in sixteenths of a pixel of the input, within it, as the others
  std::int32_t top = 0;
  std::int32_t right = 0;
  std::int32_t bottom = 0;
  std::int32_t score = 0;  ///< of kCertain
  std::int32_t label = 0;
  bool operator==(const FoundBox&) const = default;
};
inline constexpr std::int32_t kCertain = 32768;

/// What the generated C finds in the output of a network that has `boxes`, height x width x
/// channels, box for box: the kMostBoxes best, the better first and equal ones by their place, less
/// those that overlap a better one of their class.
THIMBLE_EXPORT std::vector<FoundBox> found_boxes(const Int8Network& network,
                                                 std::span<const std::int8_t> output);

}  // namespace thimble
