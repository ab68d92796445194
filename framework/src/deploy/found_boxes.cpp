#include <thimble/deploy/found_boxes.hpp>

#include <algorithm>
#include <cmath>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include "box_head.hpp"

namespace thimble {
namespace {

constexpr int kParts = 16;  // of a pixel

std::int32_t parts_of(double pixels) {
  return static_cast<std::int32_t>(std::lround(kParts * pixels));
}

std::vector<std::uint16_t> shares(const Quantisation& q, double prior) {
  std::vector<std::uint16_t> made(256);
  for (int value = -128; value < 128; ++value) {
    const double t = static_cast<double>(q.scale) * (value - q.zero_point) + prior;
    made[static_cast<std::uint8_t>(value)] =
        static_cast<std::uint16_t>(std::lround(kCertain / (1 + std::exp(-t))));
  }
  return made;
}

std::int32_t within(std::int64_t place, std::int32_t end) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(place, 0, end));
}

/// Looks for boxes in one output.
class Finder {
 public:
  Finder(const BoxHead& head, std::span<const std::int8_t> map) : head_{head}, map_{map} {}

  std::vector<FoundBox> run() {
    for (std::int32_t row = 0; row < head_.rows; ++row)
      for (std::int32_t column = 0; column < head_.columns; ++column)
        for (std::size_t anchor = 0; anchor < head_.anchors.size(); ++anchor)
          look(row, column, anchor);
    std::vector<FoundBox> kept;
    for (const FoundBox& box : found_)
      if (std::ranges::none_of(kept, [&](const FoundBox& better) { return overlap(better, box); }))
        kept.push_back(box);
    return kept;
  }

 private:
  static std::int32_t share(const std::vector<std::uint16_t>& table, std::int8_t value) {
    return table[static_cast<std::uint8_t>(value)];
  }

  void look(std::int32_t row, std::int32_t column, std::size_t anchor) {
    const auto cell = at(std::int64_t{row} * head_.columns + column);
    const auto values =
        map_.subspan((cell * head_.anchors.size() + anchor) * at(head_.values), at(head_.values));
    FoundBox box;
    box.score = share(head_.presence, values[4]);
    if (head_.classes > 1) {
      const auto classes = values.subspan(5);
      box.label = static_cast<std::int32_t>(std::ranges::max_element(classes) - classes.begin());
      box.score = static_cast<std::int32_t>(
          std::int64_t{box.score} * share(head_.share, classes[at(box.label)]) >> 15);
    }
    const bool is_full = found_.size() == kMostBoxes;
    if (box.score < head_.least_score || (is_full && box.score <= found_.back().score)) return;
    place(box, values, row, column, head_.anchors[anchor]);
    if (is_full) found_.pop_back();
    const auto behind = std::ranges::find_if(
        found_, [&](const FoundBox& other) { return other.score < box.score; });
    found_.insert(behind, box);
  }

  void place(FoundBox& box, std::span<const std::int8_t> values, std::int32_t row,
             std::int32_t column, const BoxHead::Anchor& anchor) const {
    const auto centre = [&](std::int8_t value, std::int32_t cell, std::int32_t size,
                            std::int32_t cells) {
      return (std::int64_t{4} * share(head_.share, value) - 32768 + std::int64_t{65536} * cell) *
             size / (std::int64_t{65536} * cells);
    };
    const auto extent = [&](std::int8_t value, std::int32_t anchors) {
      const std::int64_t s = share(head_.share, value);
      return s * s * anchors >> 28;
    };
    const std::int64_t width = extent(values[2], anchor.width);
    const std::int64_t height = extent(values[3], anchor.height);
    const std::int64_t left = centre(values[0], column, head_.width, head_.columns) - width / 2;
    const std::int64_t top = centre(values[1], row, head_.height, head_.rows) - height / 2;
    box.left = within(left, head_.width);
    box.top = within(top, head_.height);
    box.right = within(left + width, head_.width);
    box.bottom = within(top + height, head_.height);
  }

  bool overlap(const FoundBox& a, const FoundBox& b) const {
    if (a.label != b.label) return false;
    const auto area = [](const FoundBox& box) {
      return std::int64_t{box.right - box.left} * (box.bottom - box.top);
    };
    const std::int64_t width = std::min(a.right, b.right) - std::max(a.left, b.left);
    const std::int64_t height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
    if (width <= 0 || height <= 0) return false;
    const std::int64_t both = width * height;
    return both * 65536 > head_.most_overlap * (area(a) + area(b) - both);
  }

  const BoxHead& head_;
  std::span<const std::int8_t> map_;
  std::vector<FoundBox> found_;  ///< the better first
};

}  // namespace

BoxHead box_head_of(const Int8Network& network) {
  const BoxDecoder& decoder = network.boxes.value();
  const Shape& input = network.tensor(0).shape;
  const Int8Tensor& map = network.tensor(network.output);
  BoxHead made;
  made.share = shares(map.quantisation, 0);
  made.presence = shares(map.quantisation, decoder.prior);
  for (const BoxDecoder::Anchor& anchor : decoder.anchors)
    made.anchors.push_back(
        {parts_of(anchor.width * input.width), parts_of(anchor.height * input.height)});
  made.classes = decoder.classes;
  made.values = decoder.channels_of_anchor();
  made.rows = map.shape.height;
  made.columns = map.shape.width;
  made.width = kParts * input.width;
  made.height = kParts * input.height;
  made.least_score = static_cast<std::int32_t>(std::lround(kCertain * decoder.least_score));
  made.most_overlap = static_cast<std::int32_t>(std::lround(65536 * decoder.most_overlap));
  if (std::ssize(made.anchors) * made.values != map.shape.channels)
    throw Error{"the network's last map is not one of boxes"};
  return made;
}

std::vector<FoundBox> found_boxes(const Int8Network& network, std::span<const std::int8_t> output) {
  const BoxHead head = box_head_of(network);
  if (std::ssize(output) != network.tensor(network.output).shape.elements())
    throw Error{"the output is not of the network's size"};
  return Finder{head, output}.run();
}

}  // namespace thimble
