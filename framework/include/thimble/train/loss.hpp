#pragma once

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>

namespace thimble {

/// Of some samples.
struct Loss {
  double sum = 0;       ///< over the samples
  at::Tensor gradient;  ///< of the sum by the outputs, of their shape
};

/// Cross-entropy of a target that spreads `smoothing` over all classes and gives the rest to the
/// label (Szegedy et al., arXiv 1512.00567, section 7). logits: N x classes; labels: N, int64;
/// weights: how much a sample of each class counts, or none. Thread safe. Throws Error for a label
/// that is no class.
THIMBLE_EXPORT Loss cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                                  double smoothing, std::span<const double> weights = {});

}  // namespace thimble
