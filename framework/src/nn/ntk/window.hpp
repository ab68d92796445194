#pragma once

#include <cstdint>
#include <vector>

#include <thimble/graph/graph.hpp>

#include "kernels.hpp"
#include "terms.hpp"

namespace thimble::ntk {

/// One direction of a windowed operator. Output q reads inputs q * stride - padding + tap. Seen
/// backwards, input p with residue r = (p + padding) mod stride is reached by the taps
/// r, r + stride, ... and the i-th of them comes from output (p + padding) / stride - i.
struct Axis {
  int source = 1;  ///< size of the operator's input
  int target = 1;  ///< size of its output
  int kernel = 1;
  int stride = 1;
  int padding = 0;

  int taps(int residue) const { return residue < kernel ? (kernel - residue - 1) / stride + 1 : 0; }
  int last(int source_index) const { return (source_index + padding) / stride; }
  /// The padded outputs that the inputs first, ..., end - 1 are reached from.
  int padded_begin(int first) const;
  int padded_end(int end) const { return last(end - 1) + halo_before() + 1; }
  /// Zeros to put around the output, so that every tap finds something to read.
  int halo_before() const;
  int halo_after() const;
  int padded() const { return halo_before() + target + halo_after(); }
  bool operator==(const Axis&) const = default;
};

/// A windowed operator of the graph seen backwards; plain copying is one with a 1 x 1 kernel.
struct Window {
  Axis y;
  Axis x;
  int groups = 1;
  int source_channels = 1;
  int target_channels = 1;
  bool is_mean = false;  ///< a pool: no weights, but a division

  Shape source_shape() const { return {source_channels, y.source, x.source}; }
  int inputs_of_group() const { return source_channels / groups; }
  int outputs_of_group() const { return target_channels / groups; }
  bool has_halo() const { return y.padded() > y.target || x.padded() > x.target; }
  /// The number of cells that window q of a pool averages.
  int cells(int q_y, int q_x) const;
  bool operator==(const Window&) const = default;
};

/// The window of a term's operator; without one it is a copy.
Window window_of(const Graph& graph, const Term& term);

/// The pixels of the source that are reached by the same taps in the same relative places.
struct PixelClass {
  struct Tap {
    int y;
    int x;
  };
  std::vector<Tap> taps;      ///< in the kernel; for a pool only their number matters
  std::vector<int> offsets;   ///< of each tap's output from the pixel's target, in padded pixels
  std::vector<Pixel> pixels;  ///< in the order of their source
};

/// All classes of a window, those without any tap left out.
std::vector<PixelClass> pixel_classes(const Window& window);

}  // namespace thimble::ntk
