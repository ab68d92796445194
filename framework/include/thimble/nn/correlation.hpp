#pragma once

#include <torch/types.h>

#include <thimble/core/export.hpp>

namespace thimble {

/// Pearson's correlation between the rows of a matrix, N x M: N x N with ones on the diagonal;
/// rows and columns of what is constant are 0. Thread safe.
THIMBLE_EXPORT torch::Tensor correlation(const torch::Tensor& rows);

}  // namespace thimble
