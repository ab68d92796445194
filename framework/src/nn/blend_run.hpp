#pragma once

#include <limits>
#include <vector>

#include <thimble/nn/blend.hpp>

/// Everything that is memory traffic and no convolution, in one run over tensors that lie channels
/// last. Thread safe.
namespace thimble {

/// What to make of a sum while it is at hand.
struct BlendRun {
  torch::Tensor* sum = nullptr;        ///< made when not null
  torch::Tensor* rectified = nullptr;  ///< likewise: min(max(sum, 0), ceiling)
  double ceiling = std::numeric_limits<double>::infinity();
  std::vector<torch::Tensor> partners = {};  ///< of the sum's shape; totals are taken with them
};

/// By channel, over samples and pixels; empty without partners.
struct BlendTotals {
  std::vector<double> of_sum;
  std::vector<std::vector<double>> of_products;  ///< of the sum and each partner
};

BlendTotals run(const Blend& blend, const BlendRun& wanted);

}  // namespace thimble
