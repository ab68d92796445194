#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/nn/propagation/network.hpp>

/// Depthwise convolutions, a filter a channel, where oneDNN 2.6 is slower: backwards with large
/// windows most of all. Results lie in memory as x does. Without autograd; sums have one order.
namespace thimble {

/// True for those that are faster here (measured: docs/performance.md), of networks that run our
/// kernels. Any can be run.
bool is_depthwise(const Network& network, const Node& node);

/// The same as at::conv2d; bias may be undefined.
at::Tensor depthwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const Node& node);

/// Undefined where not wanted.
struct DepthwiseGradients {
  at::Tensor by_input;
  at::Tensor by_weight;
};
DepthwiseGradients depthwise_backward(const at::Tensor& gradient, const at::Tensor& x,
                                      const at::Tensor& weight, const Node& node, bool wants_input,
                                      bool wants_weight);

}  // namespace thimble
