#pragma once

#include <span>

#include <thimble/core/export.hpp>

namespace thimble {

/// Kendall's tau-b: (concordant - discordant) / sqrt((n - ties in x)(n - ties in y)), n counting
/// pairs. NaN when either side is constant. O(n log n) (Knight 1966). Sizes are equal.
THIMBLE_EXPORT double kendall_tau(std::span<const double> x, std::span<const double> y);

/// Spearman's rho: Pearson's correlation of mid-ranks. NaN when either side is constant.
THIMBLE_EXPORT double spearman_rho(std::span<const double> x, std::span<const double> y);

struct MeanAndDeviation {
  double mean = 0;
  double deviation = 0;  ///< of the sample (n - 1); 0 for fewer than two values
};
THIMBLE_EXPORT MeanAndDeviation mean_and_deviation(std::span<const double> values);

}  // namespace thimble
