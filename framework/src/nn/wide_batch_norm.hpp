#pragma once

#include <torch/types.h>

/// Batch norm by the batch's statistics for float tensors that lie channels last: two runs over
/// memory forwards and two backwards, where LibTorch 1.13 takes three. Thread safe.
namespace thimble {

struct NormalisedBatch {
  torch::Tensor output;
  torch::Tensor mean;               ///< by channel
  torch::Tensor inverse_deviation;  ///< likewise
};

NormalisedBatch wide_batch_norm(const torch::Tensor& x, const torch::Tensor& scale,
                                const torch::Tensor& shift, double epsilon);

struct NormalisedGradients {
  torch::Tensor input;
  torch::Tensor scale;
  torch::Tensor shift;
};

/// `gradient` is that by the output of `x` normalised.
NormalisedGradients wide_batch_norm_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                             const torch::Tensor& scale, const torch::Tensor& mean,
                                             const torch::Tensor& inverse_deviation);

}  // namespace thimble
