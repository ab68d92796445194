#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>

/// Convolutions by oneDNN, around its faults: it gives gradients of weights that it never
/// wrote, and writes beyond its buffers, where a convolution's window is larger than its input or
/// the padding as large, as a window of 39 on 16 steps has it, and where single pixels are read at
/// a stride, as from 66 columns: there the zeros are put around the input beforehand, and what is
/// not read is left out, as it is where LibTorch 2.6 reads wrong columns. And it takes two to ten
/// times as long over columns as over rows (docs/performance.md): series that stand are laid down
/// for it, which moves nothing in memory. Thread safe; how results lie in memory is oneDNN's
/// choice.
namespace thimble {

inline std::array<std::int64_t, 2> pair_of(const Extent& extent) {
  return {extent.height, extent.width};
}

/// The same as at::conv2d; `bias` may be undefined.
THIMBLE_EXPORT at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight,
                                      const at::Tensor& bias, const Node& node);

/// Undefined where not wanted.
struct ConvolutionGradients {
  at::Tensor by_input;
  at::Tensor by_weight;
  at::Tensor by_bias;
};
struct ConvolutionWants {
  bool input;
  bool weight;
  bool bias;
};

/// The gradients by what convolution() was given, where `gradient` is that by its output.
THIMBLE_EXPORT ConvolutionGradients convolution_backward(const at::Tensor& gradient,
                                                         const at::Tensor& x,
                                                         const at::Tensor& weight, const Node& node,
                                                         const ConvolutionWants& wants);

}  // namespace thimble
