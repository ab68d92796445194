#pragma once

#include <cstdint>
#include <vector>

#include <thimble/deploy/int8_network.hpp>

namespace thimble {

/// A decoder in the whole numbers that C and its reference compute with. Lengths are in sixteenths
/// of a pixel.
struct BoxHead {
  struct Anchor {
    std::int32_t width = 0;
    std::int32_t height = 0;
  };
  /// 1 / (1 + exp(-t)) of each output by its bits, of kCertain.
  std::vector<std::uint16_t> share;
  std::vector<std::uint16_t> presence;  ///< the same with the prior in t
  std::vector<Anchor> anchors;
  std::int32_t classes = 1;
  std::int32_t values = 0;  ///< of an anchor
  std::int32_t rows = 0;
  std::int32_t columns = 0;
  std::int32_t width = 0;  ///< of the input
  std::int32_t height = 0;
  std::int32_t least_score = 0;   ///< of kCertain
  std::int32_t most_overlap = 0;  ///< of 65536
};

/// Of a network that has boxes. Throws Error where its output is no such map.
BoxHead box_head_of(const Int8Network& network);

}  // namespace thimble
