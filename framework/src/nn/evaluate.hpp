#pragma once

#include <array>
#include <functional>
#include <vector>

#include <torch/types.h>

#include <thimble/nn/network.hpp>

namespace thimble {

/// What batch norm adds to the variance.
inline constexpr double kBatchNormEpsilon = 1e-5;

inline std::array<std::int64_t, 2> pair_of(const Extent& extent) {
  return {extent.height, extent.width};
}

/// Fully connected layers give N x out; everything else wants N x C x H x W.
inline torch::Tensor as_image(const torch::Tensor& x) {
  return x.dim() == 2 ? x.unflatten(1, {x.size(1), 1, 1}) : x;
}

/// How the tensors of a network lie in memory.
at::MemoryFormat memory_format_of(const Network& network);

/// The output of one node; `outputs` has those of its inputs, by id.
torch::Tensor evaluate(const Network& network, NodeId id, const torch::Tensor& images,
                       const std::vector<torch::Tensor>& outputs);

/// Runs the network and shows every node's output once; a tensor is released after its last reader.
void for_each_output(const Network& network, const torch::Tensor& images,
                     const std::function<void(NodeId, const torch::Tensor&)>& visit);

}  // namespace thimble
