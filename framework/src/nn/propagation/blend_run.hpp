#pragma once

#include <limits>
#include <vector>

#include <thimble/nn/propagation/blend.hpp>

/// Everything that is memory traffic and no convolution, in one run over tensors that lie channels
/// last. Thread safe.
namespace thimble {

/// A tensor of one number a channel, in either precision.
ByChannel by_channel(const at::Tensor& values);

/// Products are taken with x - mean.
struct Partner {
  at::Tensor x;  ///< of the sum's shape
  ByChannel mean;
};

/// What to make of a sum while it is at hand.
struct BlendRun {
  at::Tensor* sum = nullptr;        ///< made when not null
  at::Tensor* rectified = nullptr;  ///< likewise: min(max(sum, 0), ceiling)
  double ceiling = std::numeric_limits<double>::infinity();
  std::vector<Partner> partners = {};  ///< totals are taken with them
};

/// Over samples and pixels; empty without partners.
struct BlendTotals {
  ByChannel of_sum;
  std::vector<ByChannel> of_products;  ///< of the sum and each partner
};

BlendTotals run(const Blend& blend, const BlendRun& wanted);

}  // namespace thimble
