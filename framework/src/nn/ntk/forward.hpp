#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/nn/propagation/network.hpp>

#include "kernels.hpp"
#include "terms.hpp"

namespace thimble::ntk {

/// Batch norm, z -> scale * normalised + shift. With dy the cotangent of its output,
///     dz = scale / deviation * (dy - mean(dy) - normalised * mean(dy * normalised))
template <class Scalar>
struct Norm {
  at::Tensor normalised;             ///< N x C x H x W
  std::vector<double> factor;        ///< scale / deviation
  std::vector<Lanes<Scalar>> slope;  ///< mean(dy * normalised) of the block at hand, per channel
  std::vector<Scalar> jacobian;      ///< sum(dy * normalised): channel x cotangent
};

/// What the backward pass reads of the forward one.
template <class Scalar>
struct Forward {
  std::vector<at::Tensor> activations;  ///< by node; of those that terms go to
  std::vector<Norm<Scalar>> norms;      ///< by node
};

template <class Scalar>
Forward<Scalar> run_forward(const Network& network, const Terms& terms, const at::Tensor& images);

}  // namespace thimble::ntk
