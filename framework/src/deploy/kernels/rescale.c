/* x / 2^bits for bits > 0, ties away from 0. */
INLINE int32_t divided(int32_t x, int32_t bits) {
  return (((x + (x >> 31)) >> (bits - 1)) + 1) >> 1;
}

/* Any x times any multiplier / 2^31 x 2^shift, rounded twice. */
KERNEL int32_t rescaled(int32_t x, int32_t multiplier, int32_t shift) {
  const int64_t product = (int64_t)(shift > 0 ? shifted_left(x, shift) : x) * multiplier;
  const int32_t high = (int32_t)((product + (1 << 30)) >> 31);
  return shift < 0 ? divided(high, -shift) : high;
}
