#pragma once

#include <vector>

namespace thimble {

/// How the last map of a network becomes boxes on a board, by whole numbers alone. The map has, one
/// behind the other for each anchor, channels for x, y, width, height, whether something is there,
/// and each class, where there are several. With t the real value of one, s = 1 / (1 + exp(-t)),
/// and a cell of the map in column c and row r, a box has
///
///     x = (2 s_x - 0.5 + c) / columns       width  = (2 s_w)^2 x the anchor's
///     y = (2 s_y - 0.5 + r) / rows          height = (2 s_h)^2 x the anchor's
///
/// in shares of the image, and a score of s with t + prior, times its class's s.
struct BoxDecoder {
  struct Anchor {
    double width = 0;  ///< share of the image
    double height = 0;
    bool operator==(const Anchor&) const = default;
  };
  std::vector<Anchor> anchors;
  int classes = 1;
  double prior = 0;
  double least_score = 0.25;   ///< of a box that is told
  double most_overlap = 0.45;  ///< intersection over union with a better box of its class

  int channels_of_anchor() const noexcept { return 5 + (classes > 1 ? classes : 0); }
};

}  // namespace thimble
