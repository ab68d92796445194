#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/range_rule.hpp>

namespace thimble {

/// How ranges are taken of values that were seen.
struct Calibration {
  RangeRule rule = RangeRule::extremes;
  double percentile = 99.99;  ///< of the values between the ends, where it is the rule
};

/// A network with what lower() needs: its weights in plain memory, the range of every node's output
/// on these images, and what batch norm normalises by: its statistics, or else the images' own.
/// images: N x C x H x W, real ones, a few hundred. Throws Error when outputs overflow. Thread
/// safe.
THIMBLE_EXPORT FloatNetwork calibrated(const Network& network, const at::Tensor& images,
                                       const Calibration& how = {});

/// Weights and biases, a node each.
THIMBLE_EXPORT std::vector<FloatParameters> parameters_of(const Network& network);

/// The range that a rule gives to these values.
THIMBLE_EXPORT Range range_of(const at::Tensor& values, const Calibration& how);

/// How far the outputs of an int8 network are from those of the network that it was lowered from.
struct Deviation {
  double mean_error = 0;     ///< |int8 - float| / |float|, norms of an output, over the samples
  double largest_error = 0;  ///< the same of the worst sample
  double equal_argmax = 0;   ///< share of samples whose largest output is the same
};

/// Runs both on images, N x C x H x W with N > 0; batch norm works as in calibrated(), so
/// without statistics they should be the same images.
THIMBLE_EXPORT Deviation deviation_of(const Int8Network& lowered, const Network& network,
                                      const at::Tensor& images);

/// An image, C x H x W, as an int8 network reads it.
THIMBLE_EXPORT std::vector<std::int8_t> quantised(const at::Tensor& image, const Quantisation& q);

}  // namespace thimble
