#pragma once

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>

namespace thimble {

/// A row of labels that are boxes: N x rows x 6, float. Lengths are shares of the image's sides.
/// Samples have as many rows as that with the most boxes; what it has fewer, is no box.
struct LabelledBox {
  float label = -1;  ///< a class, or -1: no box
  float x = 0;       ///< of the centre, from the left
  float y = 0;       ///< from the top
  float width = 0;
  float height = 0;
  float is_crowd = 0;  ///< 1: a region of many things, which nobody is to tell apart

  bool is_there() const noexcept { return label >= 0; }
  bool is_one_thing() const noexcept { return is_there() && is_crowd == 0; }
};

inline constexpr std::int64_t kBoxColumns = 6;
static_assert(sizeof(LabelledBox) == kBoxColumns * sizeof(float));

/// The rows of a sample; they live in `labels`, which are boxes, contiguous, in float.
THIMBLE_EXPORT std::span<LabelledBox> boxes_of(const at::Tensor& labels, std::int64_t sample);

/// Throws Error where these are no boxes of so many classes.
THIMBLE_EXPORT void require_boxes(const at::Tensor& labels, int classes);

/// What happens to an image along one side: what was at p is at factor x p + offset, in shares of
/// the side.
struct SideMove {
  double factor = 1;
  double offset = 0;
};

/// Moves boxes with their image. What moves out is cut off; of which less than a quarter is left is
/// no box any more.
THIMBLE_EXPORT void move_boxes(std::span<LabelledBox> boxes, const SideMove& across,
                               const SideMove& down);

}  // namespace thimble
