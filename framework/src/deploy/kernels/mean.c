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

/* Four channels. */
KERNEL void mean_of_four(const struct mean* l, const int8_t* in, int8_t* out) {
  int32_t total[4] = {0};
  for (int32_t left = l->pixels; left > 0; left -= 256, in += 256 * l->channels) {
    const struct sums sums = sums_of_cells(no_sums, in, smaller(left, 256), l->channels);
    for (int i = 0; i < 4; ++i) total[i] += sum_at(sums, i);
  }
  for (int i = 0; i < 4; ++i) out[i] = mean_of(l, total[i]);
}

KERNEL void mean(const struct mean* l, const int8_t* in, int8_t* out) {
  int32_t c = 0;
  for (; c + 4 <= l->channels; c += 4) mean_of_four(l, in + c, out + c);
  for (; c < l->channels; ++c) out[c] = mean_of(l, sum_of_cells(in + c, l->pixels, l->channels));
}
