/* Kept out of the loops, whose sums are nearly always scaled down. */
KERNEL int32_t scaled_up(int32_t sum, const struct factor* factor, int32_t zero) {
  const int32_t x = scaled(sum, factor);
  const int32_t limited = x < -1024 ? -1024 : x > 1024 ? 1024 : x;
  return saturated_half(2 * limited + zero);
}

/* sum times factor + zero point, an int8. zero: 2 zero point + 1. */
INLINE int32_t requantised(int32_t sum, const struct factor* factor, int32_t zero) {
  if (factor->shift < 0) return scaled_up(sum, factor, zero);
  return saturated_half(scaled_twice(sum, factor) + zero);
}
