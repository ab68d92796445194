#pragma once

#include <span>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/op_shape.hpp>

namespace thimble {

/// Coefficients with the smallest sum of squared relative errors.
struct RelativeFit {
  std::vector<double> coefficients;  ///< one a feature; 0 for features that add nothing
  double mean_error = 0;             ///< relative, of each row by the fit to all others
  double largest_error = 0;          ///< the same
  double p95_error = 0;              ///< half of what holds 95 % of rows, around their predictions

  THIMBLE_EXPORT double predict(std::span<const double> features) const;
};

/// Fits values > 0 to rows of features. Throws InputError where there are fewer than two rows for
/// each feature: such a fit says little about what it has not seen.
THIMBLE_EXPORT RelativeFit fit_relative(std::span<const std::vector<double>> rows,
                                        std::span<const double> values);

/// What an operator's work is made of: a constant, multiply-accumulates (a pool's sums count),
/// outputs, the unfolded input, window positions, inputs.
THIMBLE_EXPORT std::vector<double> features_of(const OpShape& op);

}  // namespace thimble
