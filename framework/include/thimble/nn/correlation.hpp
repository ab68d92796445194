#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/nn/observation.hpp>

namespace thimble {

/// Pearson's correlation between the rows of a matrix, N x M in double: N x N with ones on the
/// diagonal; rows and columns of what is constant, but for rounding, are 0. Thread safe.
THIMBLE_EXPORT at::Tensor correlation(const at::Tensor& rows);

/// The same between the samples' gradients of all logits, d(sum_k f_k) / d x_b, of the first batch.
/// Throws Error when one of them is constant: it has no correlation.
THIMBLE_EXPORT at::Tensor correlation_of_input_gradients(Observation& seen);

}  // namespace thimble
