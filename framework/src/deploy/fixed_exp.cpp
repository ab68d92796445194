#include "fixed_exp.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace thimble {
namespace {

constexpr std::int32_t kLargest = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kSmallest = std::numeric_limits<std::int32_t>::min();

std::int32_t saturating_times_power_of_two(std::int32_t x, int exponent) {
  const std::int64_t wide = std::int64_t{x} * (std::int64_t{1} << exponent);
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(wide, kSmallest, kLargest));
}

/// exp(a), -1/4 <= a < 0 in Q0.31: a Taylor series about -1/8.
std::int32_t exp_close_to_zero(std::int32_t a) {
  constexpr std::int32_t kExpOfMinusOneEighth = 1895147668;
  constexpr std::int32_t kOneThird = 715827883;
  const std::int32_t x = a + (1 << 28);
  const std::int32_t x2 = doubling_high_product(x, x);
  const std::int32_t x3 = doubling_high_product(x2, x);
  const std::int32_t x4 = doubling_high_product(x2, x2);
  const std::int32_t x4_over_4 = rounding_divide_by_power_of_two(x4, 2);
  const std::int32_t higher_terms =
      rounding_divide_by_power_of_two(doubling_high_product(x4_over_4 + x3, kOneThird) + x2, 1);
  return kExpOfMinusOneEighth + doubling_high_product(kExpOfMinusOneEighth, x + higher_terms);
}

}  // namespace

std::int32_t doubling_high_product(std::int32_t a, std::int32_t b) {
  if (a == kSmallest && b == kSmallest) return kLargest;
  return static_cast<std::int32_t>((std::int64_t{a} * b + (std::int64_t{1} << 30)) >> 31);
}

std::int32_t rounding_divide_by_power_of_two(std::int32_t x, int exponent) {
  const auto mask = static_cast<std::int32_t>((std::int64_t{1} << exponent) - 1);
  const std::int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  const auto floor = static_cast<std::int32_t>(std::int64_t{x} >> exponent);
  return floor + ((x & mask) > threshold ? 1 : 0);
}

std::int32_t exp_on_negative_values(std::int32_t x) {
  if (x == 0) return kLargest;
  constexpr std::int32_t kOneQuarter = 1 << 24;  // Q5.26
  const std::int32_t close = (x & (kOneQuarter - 1)) - kOneQuarter;
  std::int32_t result = exp_close_to_zero(saturating_times_power_of_two(close, 5));
  // exp(-2^(bit - 26)) in Q0.31, for each bit of what is left.
  constexpr std::int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308,
                                       39332535,   720401,     242};
  const std::int32_t left = close - x;
  for (int i = 0; i < 7; ++i)
    if ((left & (std::int32_t{1} << (24 + i))) != 0)
      result = doubling_high_product(result, kFactors[i]);
  return result;
}

std::pair<std::int32_t, int> reciprocal(std::int32_t x) {
  const int headroom = std::countl_zero(static_cast<std::uint32_t>(x));
  const auto fraction = static_cast<std::int32_t>((static_cast<std::uint32_t>(x) << headroom) -
                                                  (std::uint32_t{1} << 31));
  // Newton's method for 1 / (1 + fraction), in Q2.29 from 48/17 - 32/17 x (the usual start).
  const auto half = static_cast<std::int32_t>((std::int64_t{fraction} + kLargest + 1) / 2);
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  std::int32_t y = k48Over17 + doubling_high_product(half, kMinus32Over17);
  for (int i = 0; i < 3; ++i) {
    const std::int32_t missing = (1 << 29) - doubling_high_product(half, y);
    y += saturating_times_power_of_two(doubling_high_product(y, missing), 2);
  }
  return {saturating_times_power_of_two(y, 1), 12 - headroom};
}

}  // namespace thimble
