#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/train/recipe.hpp>

namespace thimble {

/// What the board's integers are made from: a trained network folded, with the ranges of its
/// values on these images (N x C x H x W, training samples), equalised and its biases corrected as
/// asked for. Throws Error when outputs overflow.
THIMBLE_EXPORT FloatNetwork quantised_after_training(const Network& trained,
                                                     const at::Tensor& images, const Quantise& how);

/// The recipe by which integers learn behind the training of a recipe with `quantise`.
THIMBLE_EXPORT Recipe integer_recipe(const Recipe& recipe);

/// Scales the channels between two layers so that their weights have equal ranges in both (Nagel et
/// al., arXiv 1906.04721, section 4.1): where only a convolution or a fully connected layer reads
/// the first, and nothing but a ReLU is between them. The function stays the same; ranges are those
/// of before.
THIMBLE_EXPORT FloatNetwork equalised(FloatNetwork folded);

/// Adds to every bias what rounding took from the mean of its sums on these images, one layer after
/// the other in the order in which they run (Nagel et al., section 4.2, empirically).
THIMBLE_EXPORT FloatNetwork bias_corrected(FloatNetwork folded, const at::Tensor& images);

/// How well one layer's output fits its integers.
struct LayerFit {
  std::string name;
  std::string kernel;
  double signal_to_noise_db = 0;  ///< of the float output to the difference of the two
  double range_use = 0;           ///< share of the 256 values between the least and the most seen
  double saturated = 0;           ///< share of outputs at an end where they were clamped
};
THIMBLE_EXPORT std::vector<LayerFit> layer_fits(const FloatNetwork& folded,
                                                const at::Tensor& images);

}  // namespace thimble
