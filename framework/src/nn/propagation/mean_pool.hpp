#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/graph/graph.hpp>

/// Average pooling that keeps the size, for tensors that lie channels last, by a depthwise
/// convolution: three to four times faster than LibTorch's operator, forwards and backwards.
namespace thimble {

bool keeps_size(const Node& pool);

at::Tensor mean_pool(const at::Tensor& x, const Node& pool);
/// The gradient by x, from that by the output.
at::Tensor mean_pool_backward(const at::Tensor& gradient, const Node& pool);

}  // namespace thimble
