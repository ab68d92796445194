#pragma once

#include <torch/types.h>

#include <thimble/graph/graph.hpp>

namespace thimble {

/// True for the convolutions that oneDNN is slow at: few channels (it pads them to a vector's
/// width), stride 1.
bool is_narrow_convolution(const Graph& graph, const Node& node);

/// The same as at::conv2d with stride 1, without autograd; bias may be undefined.
torch::Tensor narrow_convolution(const torch::Tensor& x, const torch::Tensor& weight,
                                 const torch::Tensor& bias, const Extent& padding);

/// The same as at::avg_pool2d with stride 1 that does not count padding, without autograd.
torch::Tensor narrow_mean(const torch::Tensor& x, const Extent& kernel, const Extent& padding);

}  // namespace thimble
