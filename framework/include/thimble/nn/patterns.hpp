#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble {

/// The number of different ReLU sign patterns among all samples of all batches: a lower bound on
/// the number of linear regions that the samples lie in (TE-NAS, arXiv 2102.11535). A sample's
/// pattern is the bit (output > 0) of every ReLU node's every element. Each batch (N x C x H x W)
/// has its own batch-norm statistics. Patterns are hashed to 128 bits and the keys counted.
/// Thread safe.
THIMBLE_EXPORT std::int64_t count_linear_regions(const Network& network,
                                                 const std::vector<at::Tensor>& batches);

/// How many bits the ReLU patterns of two samples differ in: N x N, int64. `bits` becomes the
/// length of a pattern. Thread safe.
THIMBLE_EXPORT at::Tensor hamming_distances(const Network& network, const Forward& forward,
                                            std::int64_t& bits);

}  // namespace thimble
