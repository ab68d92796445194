#pragma once

#include <functional>
#include <limits>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/nn/propagation/network.hpp>

namespace thimble {

/// What batch norm adds to the variance.
inline constexpr double kBatchNormEpsilon = 1e-5;

/// The most that a ReLU lets through.
inline double ceiling_of(const Node& relu) {
  return relu.activation == Activation::relu6 ? 6 : std::numeric_limits<double>::infinity();
}

/// Fully connected layers give N x out; everything else wants N x C x H x W.
inline at::Tensor as_image(const at::Tensor& x) {
  return x.dim() == 2 ? x.unflatten(1, {x.size(1), 1, 1}) : x;
}

/// What a mask lets through of x, N x C x H x W or N x C.
at::Tensor masked(const at::Tensor& x, const Node& mask);

/// How the tensors of a network lie in memory.
at::MemoryFormat memory_format_of(const Network& network);

/// The output of one node; `outputs` has those of its inputs, by id.
at::Tensor evaluate(const Network& network, NodeId id, const at::Tensor& images,
                    const std::vector<at::Tensor>& outputs);

/// Runs the network and shows every node's output once; a tensor is released after its last reader.
void for_each_output(const Network& network, const at::Tensor& images,
                     const std::function<void(NodeId, const at::Tensor&)>& visit);

}  // namespace thimble
