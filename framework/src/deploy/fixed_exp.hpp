#pragma once

#include <cstdint>
#include <utility>

/// Fixed-point arithmetic of the int8 softmax: gemmlowp's, which TensorFlow Lite Micro and CMSIS-NN
/// share. Q5.26 means 5 integer and 26 fractional bits beside the sign.
namespace thimble {

/// a b 2^-31, rounded, ties up; saturates where both are the smallest number.
std::int32_t doubling_high_product(std::int32_t a, std::int32_t b);

/// x 2^-exponent, rounded, ties away from zero.
std::int32_t rounding_divide_by_power_of_two(std::int32_t x, int exponent);

/// exp(x), x <= 0 in Q5.26, the result in Q0.31.
std::int32_t exp_on_negative_values(std::int32_t x);

/// For x > 0 in Q12.19: 2^exponent / x in Q0.31, and the exponent.
std::pair<std::int32_t, int> reciprocal(std::int32_t x);

}  // namespace thimble
