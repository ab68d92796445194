#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/graph/graph.hpp>

namespace thimble {

/// True for the convolutions that oneDNN is slow at: few channels (it pads them to a vector's
/// width), stride 1.
bool is_narrow_convolution(const Graph& graph, const Node& node);

/// The same as at::conv2d with stride 1, without autograd; bias may be undefined.
at::Tensor narrow_convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                              const Extent& padding);

/// The same as at::avg_pool2d with stride 1 that does not count padding, without autograd.
at::Tensor narrow_mean(const at::Tensor& x, const Extent& kernel, const Extent& padding);

}  // namespace thimble
