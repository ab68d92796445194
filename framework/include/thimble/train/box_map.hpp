#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/deploy/box_decoder.hpp>
#include <thimble/nn/boxes.hpp>

/// Maps that stand for boxes (BoxDecoder says how): what they tell, and which of their cells are to
/// tell of a thing. Formulas of Redmon and Farhadi (YOLOv3, arXiv 1804.02767, section 2.1) with the
/// wider sigmoids that later ones of the family have, which reach a cell's borders.
namespace thimble {

/// A box by centre and extent, in shares of the image's sides.
struct Box {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

/// Intersection over union.
THIMBLE_EXPORT double overlap_of(const Box& a, const Box& b);

/// Something that a map tells.
struct ScoredBox {
  Box box;
  double score = 0;
  int label = 0;
};

/// A map's cells.
struct Grid {
  int rows = 0;
  int columns = 0;
};

/// Where a map tells of something.
struct MapPlace {
  int anchor = 0;
  int row = 0;
  int column = 0;
  bool operator==(const MapPlace&) const = default;
};

/// What four numbers in a cell stand for, and back: of a box whose centre is no farther than a half
/// cell from the cell, and whose sides are less than four times the anchor's.
THIMBLE_EXPORT Box decoded(const std::array<double, 4>& numbers, const MapPlace& place,
                           const BoxDecoder::Anchor& anchor, const Grid& grid);
THIMBLE_EXPORT std::array<double, 4> encoded(const Box& box, const MapPlace& place,
                                             const BoxDecoder::Anchor& anchor, const Grid& grid);

/// All boxes of a score of `least_score` or more that a map tells, C x H x W in double, those left
/// out that overlap a better one of their class by more than the decoder allows; of equal scores
/// the first in the map is the better.
THIMBLE_EXPORT std::vector<ScoredBox> boxes_in(const at::Tensor& map, const BoxDecoder& decoder,
                                               double least_score);

/// The better first, those left out that overlap a better one of their class by more; of equal
/// scores, the one with the lower of `places` is the better.
THIMBLE_EXPORT std::vector<ScoredBox> suppressed(std::span<const ScoredBox> boxes,
                                                 std::span<const std::int64_t> places,
                                                 double most_overlap);

/// Which places are to tell of a thing: for each anchor of which its sides are less than four times
/// and more than a quarter, the cell of its centre and the nearest neighbour across and down, where
/// there are such.
THIMBLE_EXPORT std::vector<MapPlace> places_for(const Box& box,
                                                std::span<const BoxDecoder::Anchor> anchors,
                                                const Grid& grid);

/// Sizes that stand for all: k-means by 1 - intersection over union of boxes with one corner
/// (Redmon and Farhadi, arXiv 1612.08242, section 2), the smallest first. Fewer than `count` where
/// there are fewer different boxes. Always the same for the same boxes, in any order.
THIMBLE_EXPORT std::vector<BoxDecoder::Anchor> typical_sizes(std::vector<BoxDecoder::Anchor> sizes,
                                                             int count);

}  // namespace thimble
