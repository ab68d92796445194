#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// Pairs (x, y), prepared once to be correlated under many weights: `counts` says how often each
/// pair is in the sample. What is resampled needs no sorting then. const is thread safe.
class THIMBLE_EXPORT RankPairs {
 public:
  /// Sizes are equal; no value is NaN.
  RankPairs(std::span<const double> x, std::span<const double> y);

  /// Kendall's tau-b: (concordant - discordant) / sqrt((n - ties in x)(n - ties in y)), n counting
  /// pairs of pairs. NaN when either side is constant. O(n log n).
  double tau(std::span<const int> counts) const;
  /// Spearman's rho: Pearson's correlation of mid-ranks. NaN when either side is constant. O(n).
  double rho(std::span<const int> counts) const;
  std::size_t size() const noexcept { return places_.size(); }

 private:
  // All in the order of x, equal ones in that of y; values are replaced by 0, 1, ...
  std::vector<std::size_t> places_;
  std::vector<std::size_t> x_, y_;
  std::size_t levels_of_x_ = 0, levels_of_y_ = 0;
};

THIMBLE_EXPORT double kendall_tau(std::span<const double> x, std::span<const double> y);
THIMBLE_EXPORT double spearman_rho(std::span<const double> x, std::span<const double> y);

/// Where a statistic lies with some confidence; NaN where that is unknown.
struct Interval {
  double low, high;
};
struct Estimate {
  double value;
  Interval interval;
};

/// Percentile bootstrap. Equal seeds give equal resamples, so that what is computed on the same
/// candidates can be compared.
struct Bootstrap {
  int resamples = 0;
  double confidence = 0.95;
  std::uint64_t seed = 0;
};

struct Correlation {
  Estimate tau, rho;
  std::vector<double> taus{};  ///< of the resamples, in their order
};

/// The mean of the groups' correlations, weighted by their sizes, without those that have none.
/// Resampled within each group. There is no interval (NaN) where they have less than five pairs.
THIMBLE_EXPORT Correlation correlate(const std::vector<RankPairs>& groups,
                                     const Bootstrap& bootstrap);

/// How much larger one tau is than another of the same cells, paired: both were resampled alike, so
/// what they have in common cancels. `sign` is that of the first: -1 where less is better.
THIMBLE_EXPORT Estimate tau_difference(const Correlation& first, double sign,
                                       const Correlation& second, double confidence);

/// What is lost by trusting a ranking: of the k values ranked highest, ...
struct TopK {
  double regret;  ///< best of all values - best among these
  double mean;    ///< their mean
};
/// `goodness` ranks the values, more is better. Ties go to the smaller value: they are no merit.
/// 1 <= k <= size; sizes are equal.
THIMBLE_EXPORT TopK top_k(std::span<const double> goodness, std::span<const double> values,
                          std::size_t k);

/// Between the order statistics, linearly; `values` is sorted and not empty, `part` in [0, 1].
THIMBLE_EXPORT double quantile(std::span<const double> values, double part);

struct MeanAndDeviation {
  double mean = 0;
  double deviation = 0;  ///< of the sample (n - 1); 0 for fewer than two values
};
THIMBLE_EXPORT MeanAndDeviation mean_and_deviation(std::span<const double> values);

}  // namespace thimble
