#pragma once

#include <torch/types.h>

#include <thimble/nn/ntk/ntk.hpp>

namespace thimble::ntk {

/// `ntk_gram` for a network whose precision is Scalar (float or double).
template <class Scalar>
torch::Tensor gram(const Network& network, const torch::Tensor& images, Coupling coupling);

}  // namespace thimble::ntk
