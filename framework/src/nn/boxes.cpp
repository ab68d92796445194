#include <thimble/nn/boxes.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

constexpr double kLeastVisible = 0.25;

/// Where an extent from `centre` comes to lie, within the image.
std::pair<double, double> moved(float centre, float extent, const SideMove& move) {
  const double middle = move.factor * static_cast<double>(centre) + move.offset;
  const double half = std::abs(move.factor) * static_cast<double>(extent) / 2;
  return {std::clamp(middle - half, 0.0, 1.0), std::clamp(middle + half, 0.0, 1.0)};
}

}  // namespace

std::span<LabelledBox> boxes_of(const at::Tensor& labels, std::int64_t sample) {
  auto* const first = reinterpret_cast<LabelledBox*>(labels.data_ptr<float>());
  return {first + sample * labels.size(1), at(labels.size(1))};
}

void require_boxes(const at::Tensor& labels, int classes) {
  if (labels.dim() != 3 || labels.size(2) != kBoxColumns || labels.scalar_type() != at::kFloat ||
      !labels.is_contiguous())
    throw Error{"labels are no boxes"};
  for (std::int64_t i = 0; i < labels.size(0); ++i)
    for (const LabelledBox& box : boxes_of(labels, i)) {
      const bool is_class = box.label == std::floor(box.label) &&
                            box.label < static_cast<float>(classes) && box.label >= -1;
      if (!is_class)
        throw Error{"a box of class " + std::to_string(box.label) + " is none of " +
                    std::to_string(classes) + " classes"};
      if (box.is_there() && !(box.width > 0 && box.height > 0)) throw Error{"a box has no area"};
    }
}

void move_boxes(std::span<LabelledBox> boxes, const SideMove& across, const SideMove& down) {
  for (LabelledBox& box : boxes) {
    if (!box.is_there()) continue;
    const double whole = std::abs(across.factor * down.factor) * static_cast<double>(box.width) *
                         static_cast<double>(box.height);
    const auto [left, right] = moved(box.x, box.width, across);
    const auto [top, bottom] = moved(box.y, box.height, down);
    if ((right - left) * (bottom - top) < kLeastVisible * whole) {
      box = {};
      continue;
    }
    box.x = static_cast<float>((left + right) / 2);
    box.y = static_cast<float>((top + bottom) / 2);
    box.width = static_cast<float>(right - left);
    box.height = static_cast<float>(bottom - top);
  }
}

}  // namespace thimble
