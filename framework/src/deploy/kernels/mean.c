/* Mean over height and width. */
struct mean {
  int32_t pixels;
  int32_t channels;
  int32_t offset; /* zero point x pixels */
  int32_t multiplier;
  int32_t shift; /* positive: to the left */
  int32_t zero_out;
};

INLINE int8_t mean_of(const struct mean* l, int32_t sum) {
  const int32_t x = rescaled(sum - l->offset, l->multiplier, l->shift) + l->zero_out;
  return (int8_t)smaller(larger(x, -128), 127);
}

KERNEL void mean(const struct mean* l, const int8_t* in, int8_t* out) {
  const int32_t channels = l->channels;
  int32_t c = 0;
  for (; c + 4 <= channels; c += 4) {
    int32_t sums[4] = {0};
    add_cells(in + c, l->pixels, channels, sums);
    for (int32_t i = 0; i < 4; ++i) out[c + i] = mean_of(l, sums[i]);
  }
  for (; c < channels; ++c) out[c] = mean_of(l, sum_of_cells(in + c, l->pixels, channels));
}
