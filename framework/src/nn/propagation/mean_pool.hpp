#pragma once

#include <torch/types.h>

#include <thimble/graph/graph.hpp>

/// Average pooling that keeps the size, for tensors that lie channels last, by a depthwise
/// convolution: three to four times faster than LibTorch's operator, forwards and backwards.
namespace thimble {

bool keeps_size(const Node& pool);

torch::Tensor mean_pool(const torch::Tensor& x, const Node& pool);
/// The gradient by x, from that by the output.
torch::Tensor mean_pool_backward(const torch::Tensor& gradient, const Node& pool);

}  // namespace thimble
