#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/nn/ntk/ntk.hpp>

namespace thimble::ntk {

/// `ntk_gram` for a network whose precision is Scalar (float or double).
template <class Scalar>
at::Tensor gram(const Network& network, const at::Tensor& images, SampleCoupling coupling);

}  // namespace thimble::ntk
