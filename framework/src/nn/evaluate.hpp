#pragma once

#include <functional>
#include <vector>

#include <torch/types.h>

#include <thimble/nn/network.hpp>

namespace thimble {

/// What batch norm adds to the variance.
inline constexpr double kBatchNormEpsilon = 1e-5;

/// The output of one node; `outputs` has those of its inputs, by id.
torch::Tensor evaluate(const Network& network, NodeId id, const torch::Tensor& images,
                       const std::vector<torch::Tensor>& outputs);

/// Runs the network and shows every node's output once; a tensor is released after its last reader.
void for_each_output(const Network& network, const torch::Tensor& images,
                     const std::function<void(NodeId, const torch::Tensor&)>& visit);

}  // namespace thimble
