#include "narrow_convolution.hpp"

#include <algorithm>
#include <vector>

#include <thimble/core/instruction_sets.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// The forward convolution of one sample, with stride 1. Planes are read as if they were one row:
/// what comes out beyond the width of the result is to be thrown away.
template <class Scalar>
struct ConvolveRun {
  const Scalar* from;  ///< padded planes, `plane` apart; readable beyond the last
  std::int64_t plane;
  int inputs;
  int outputs;
  int tap_count;
  const int* offsets;     ///< of the taps in a plane
  const Scalar* weights;  ///< output x input x tap
  Scalar* into;           ///< rows of `length`, whole vectors
  std::int64_t length;
};

#define THIMBLE_KERNELS "nn/propagation/narrow_kernels.inc"
#include <thimble/core/instruction_sets.inc>

template <class Scalar>
void copy_rows(const Scalar* from, std::int64_t from_width, Scalar* into, std::int64_t into_width,
               std::int64_t height) {
  const std::int64_t width = std::min(from_width, into_width);
  for (std::int64_t y = 0; y < height; ++y)
    std::copy_n(from + y * from_width, width, into + y * into_width);
}

template <class Scalar>
void convolve(const at::Tensor& x, const at::Tensor& weight, const Extent& padding, at::Tensor& y) {
  constexpr std::int64_t kAtOnce = 2 * std::int64_t{64 / sizeof(Scalar)};
  const std::int64_t height = x.size(2) + 2 * std::int64_t{padding.height};
  const std::int64_t width = x.size(3) + 2 * std::int64_t{padding.width};
  const std::int64_t plane = height * width;
  const std::int64_t useful = (y.size(2) - 1) * width + y.size(3);
  const std::int64_t length = (useful + kAtOnce - 1) / kAtOnce * kAtOnce;
  std::vector<Scalar> padded(static_cast<std::size_t>(x.size(1) * plane + kAtOnce));
  std::vector<Scalar> rows(static_cast<std::size_t>(y.size(1) * length + width));
  std::vector<int> offsets;
  for (std::int64_t i = 0; i < weight.size(2); ++i)
    for (std::int64_t j = 0; j < weight.size(3); ++j)
      offsets.push_back(static_cast<int>(i * width + j));

  ConvolveRun<Scalar> run{};
  run.from = padded.data();
  run.plane = plane;
  run.inputs = static_cast<int>(x.size(1));
  run.outputs = static_cast<int>(y.size(1));
  run.tap_count = static_cast<int>(offsets.size());
  run.offsets = offsets.data();
  run.weights = weight.data_ptr<Scalar>();
  run.into = rows.data();
  run.length = length;
  const Scalar* from = x.data_ptr<Scalar>();
  Scalar* into = y.data_ptr<Scalar>();
  const std::int64_t corner = padding.height * width + padding.width;
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    for (std::int64_t c = 0; c < x.size(1); ++c, from += x.size(2) * x.size(3))
      copy_rows(from, x.size(3), padded.data() + c * plane + corner, width, x.size(2));
    THIMBLE_BEST(convolve<Scalar>)(run);
    for (std::int64_t c = 0; c < y.size(1); ++c, into += y.size(2) * y.size(3))
      copy_rows(rows.data() + c * length, width, into, y.size(3), y.size(2));
  }
}

}  // namespace

bool is_narrow_convolution(const Graph& graph, const Node& node) {
  constexpr int kNarrow = 16;
  return node.op == Op::conv && node.groups == 1 && node.stride == Extent{1, 1} &&
         graph.input_shape(node).channels <= kNarrow && node.shape.channels <= kNarrow;
}

at::Tensor narrow_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                              const Extent& padding) {
  const std::int64_t height = x.size(2) + 2 * std::int64_t{padding.height} - weight.size(2) + 1;
  const std::int64_t width = x.size(3) + 2 * std::int64_t{padding.width} - weight.size(3) + 1;
  at::Tensor y = at::empty({x.size(0), weight.size(0), height, width}, x.options());
  if (x.scalar_type() == at::kDouble) {
    convolve<double>(x.contiguous(), weight.contiguous(), padding, y);
  } else {
    convolve<float>(x.contiguous(), weight.contiguous(), padding, y);
  }
  if (bias.defined()) y += bias.view({1, -1, 1, 1});
  return y;
}

at::Tensor narrow_mean(const at::Tensor& x, const Extent& kernel, const Extent& padding) {
  const auto box = at::ones({1, 1, kernel.height, kernel.width}, x.options());
  const auto sums_of = [&](const at::Tensor& planes) {
    return narrow_convolution(planes, box, {}, padding);
  };
  const at::Tensor cells = sums_of(at::ones({1, 1, x.size(2), x.size(3)}, x.options()));
  const at::Tensor sums = sums_of(x.reshape({-1, 1, x.size(2), x.size(3)}));
  return (sums / cells).view({x.size(0), x.size(1), cells.size(2), cells.size(3)});
}

}  // namespace thimble
