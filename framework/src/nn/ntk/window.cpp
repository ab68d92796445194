#include "window.hpp"

#include <algorithm>

namespace thimble::ntk {
namespace {

int cells_along(const Axis& axis, int q) {
  const int begin = q * axis.stride - axis.padding;
  return std::min(begin + axis.kernel, axis.source) - std::max(begin, 0);
}

PixelClass make_class(const Window& window, int residue_y, int residue_x) {
  PixelClass made;
  for (int i = 0; i < window.y.taps(residue_y); ++i) {
    for (int j = 0; j < window.x.taps(residue_x); ++j) {
      made.taps.push_back({residue_y + i * window.y.stride, residue_x + j * window.x.stride});
      made.offsets.push_back(-(i * window.x.padded() + j));
    }
  }
  if (made.taps.empty()) return made;
  for (int y = 0; y < window.y.source; ++y) {
    if ((y + window.y.padding) % window.y.stride != residue_y) continue;
    const int row = (window.y.last(y) + window.y.halo_before()) * window.x.padded();
    for (int x = 0; x < window.x.source; ++x) {
      if ((x + window.x.padding) % window.x.stride != residue_x) continue;
      made.pixels.push_back(
          {y * window.x.source + x, row + window.x.last(x) + window.x.halo_before()});
    }
  }
  return made;
}

}  // namespace

int Axis::halo_before() const { return std::max(0, (kernel - 1 - padding) / stride); }

int Axis::padded_begin(int first) const {
  return std::max(0, last(first) + halo_before() - (taps(0) - 1));
}

int Axis::halo_after() const { return std::max(0, last(source - 1) - (target - 1)); }

int Window::cells(int q_y, int q_x) const { return cells_along(y, q_y) * cells_along(x, q_x); }

namespace {

Window copy_window(const Shape& shape) {
  return {.y = {shape.height, shape.height},
          .x = {shape.width, shape.width},
          .groups = shape.channels,
          .source_channels = shape.channels,
          .target_channels = shape.channels,
          .is_mean = true};
}

}  // namespace

Window window_of(const Graph& graph, const Term& term) {
  if (term.window < 0) return copy_window(graph.node(term.to).shape);
  const Node& node = graph.node(term.window);
  const Shape& source = graph.input_shape(node);
  Window window;
  window.source_channels = source.channels;
  window.target_channels = node.shape.channels;
  if (node.op == Op::linear || node.op == Op::global_avg_pool) {
    window.y = {source.height, 1, source.height, source.height};
    window.x = {source.width, 1, source.width, source.width};
  } else {
    window.y = {source.height, node.shape.height, node.kernel.height, node.stride.height,
                node.padding.height};
    window.x = {source.width, node.shape.width, node.kernel.width, node.stride.width,
                node.padding.width};
  }
  window.is_mean = node.op == Op::avg_pool || node.op == Op::global_avg_pool;
  window.groups = window.is_mean ? source.channels : node.groups;
  return window;
}

std::vector<PixelClass> pixel_classes(const Window& window) {
  std::vector<PixelClass> classes;
  for (int y = 0; y < window.y.stride; ++y) {
    for (int x = 0; x < window.x.stride; ++x) {
      PixelClass made = make_class(window, y, x);
      if (made.taps.empty()) continue;
      // The taps of a mean all weigh the same, so equal offsets are all that is needed.
      const auto same = std::find_if(classes.begin(), classes.end(), [&](const PixelClass& other) {
        return window.is_mean && other.offsets == made.offsets;
      });
      if (same == classes.end()) {
        classes.push_back(std::move(made));
      } else {
        same->pixels.insert(same->pixels.end(), made.pixels.begin(), made.pixels.end());
        std::ranges::sort(same->pixels, {}, &Pixel::source);
      }
    }
  }
  return classes;
}

}  // namespace thimble::ntk
