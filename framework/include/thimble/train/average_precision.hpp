#pragma once

#include <optional>
#include <span>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/train/box_map.hpp>

namespace thimble {

/// An image's boxes: those found, in any order, and those that are there.
struct ImageBoxes {
  std::vector<ScoredBox> found;
  std::vector<LabelledBox> truths;
};

/// A point of the curve: of boxes with this score or a higher one.
struct CurvePoint {
  double score = 0;
  double precision = 0;
  double recall = 0;
};

/// Precision against recall, a point for each box found that is no part of a crowd, the better
/// first. Of a class, a box is right that overlaps one that is there by `least_overlap` or more
/// (Lin et al., arXiv 1405.0312, and the evaluation of COCO): boxes of an image, the better first
/// and a hundred at most, each take what they overlap most and is not taken; crowds take any
/// number, which then count as neither right nor wrong. None where nothing of the class is there.
THIMBLE_EXPORT std::optional<std::vector<CurvePoint>> precision_curve(
    std::span<const ImageBoxes> images, int label, double least_overlap);

/// The mean of the highest precision at recalls of 0, 0.01, ..., 1 or more.
THIMBLE_EXPORT double average_precision(std::span<const CurvePoint> curve);

/// The mean over the classes of which something is there; 0 where there is nothing at all.
THIMBLE_EXPORT double mean_average_precision(std::span<const ImageBoxes> images, int classes,
                                             double least_overlap);

}  // namespace thimble
