#include <thimble/experiment/statistics.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <thimble/core/ranks.hpp>

namespace thimble {
namespace {

std::int64_t pairs(std::int64_t count) { return count * (count - 1) / 2; }

/// Sorts and returns how many pairs stood in the wrong order; equal ones are in order.
std::int64_t sort_counting_swaps(std::vector<double>& values, std::vector<double>& scratch,
                                 std::size_t begin, std::size_t end) {
  if (end - begin < 2) return 0;
  const std::size_t middle = begin + (end - begin) / 2;
  std::int64_t swaps = sort_counting_swaps(values, scratch, begin, middle) +
                       sort_counting_swaps(values, scratch, middle, end);
  std::size_t left = begin, right = middle;
  for (std::size_t i = begin; i < end; ++i) {
    if (right == end || (left < middle && values[left] <= values[right])) {
      scratch[i] = values[left++];
    } else {
      swaps += static_cast<std::int64_t>(middle - left);
      scratch[i] = values[right++];
    }
  }
  std::copy(scratch.begin() + static_cast<std::ptrdiff_t>(begin),
            scratch.begin() + static_cast<std::ptrdiff_t>(end),
            values.begin() + static_cast<std::ptrdiff_t>(begin));
  return swaps;
}

/// Pairs within runs of equal elements of a sorted order.
template <class Equal>
std::int64_t tied_pairs(std::size_t count, Equal equal) {
  std::int64_t ties = 0, run = 1;
  for (std::size_t i = 1; i <= count; ++i) {
    if (i < count && equal(i - 1, i)) {
      ++run;
    } else {
      ties += pairs(run);
      run = 1;
    }
  }
  return ties;
}

}  // namespace

double kendall_tau(std::span<const double> x, std::span<const double> y) {
  assert(x.size() == y.size());
  const std::size_t count = x.size();
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return x[a] != x[b] ? x[a] < x[b] : y[a] < y[b];
  });
  const auto same_x = [&](std::size_t a, std::size_t b) { return x[order[a]] == x[order[b]]; };
  const auto same_both = [&](std::size_t a, std::size_t b) {
    return same_x(a, b) && y[order[a]] == y[order[b]];
  };
  std::vector<double> sorted(count), scratch(count);
  for (std::size_t i = 0; i < count; ++i) sorted[i] = y[order[i]];
  const std::int64_t all = pairs(static_cast<std::int64_t>(count));
  const std::int64_t ties_x = tied_pairs(count, same_x);
  const std::int64_t ties_both = tied_pairs(count, same_both);
  const std::int64_t discordant = sort_counting_swaps(sorted, scratch, 0, count);
  const std::int64_t ties_y =
      tied_pairs(count, [&](std::size_t a, std::size_t b) { return sorted[a] == sorted[b]; });
  const std::int64_t difference = all - ties_x - ties_y + ties_both - 2 * discordant;
  const double norm =
      std::sqrt(static_cast<double>(all - ties_x)) * std::sqrt(static_cast<double>(all - ties_y));
  return norm > 0 ? static_cast<double>(difference) / norm
                  : std::numeric_limits<double>::quiet_NaN();
}

double spearman_rho(std::span<const double> x, std::span<const double> y) {
  assert(x.size() == y.size());
  const auto a = mid_ranks(x), b = mid_ranks(y);
  const double mean = (static_cast<double>(x.size()) + 1) / 2;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean) * (b[i] - mean);
    aa += (a[i] - mean) * (a[i] - mean);
    bb += (b[i] - mean) * (b[i] - mean);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : std::numeric_limits<double>::quiet_NaN();
}

MeanAndDeviation mean_and_deviation(std::span<const double> values) {
  if (values.empty()) return {std::numeric_limits<double>::quiet_NaN(), 0};
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (values.size() < 2) return {mean, 0};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / (count - 1))};
}

}  // namespace thimble
