/* Fully connected: four filters at a time. Values and filters are read in words; what lies behind
 * the last value meets weights of 0. */
struct linear {
  const int8_t* weights;          /* filters 4 i to 4 i + 3 take turns, four values each */
  const struct channel* channels; /* as many as filters, a multiple of four */
  int32_t words;                  /* of an input */
  int32_t filters;
  int32_t zero_out; /* 2 zero point + 1 */
};

#if defined(THIMBLE_DSP)
INLINE void multiply_1x4(const int8_t* in, const int8_t* weights, int32_t words, int32_t sums[4]) {
  for (; words > 0; --words, in += 4) {
    const uint32_t x = load_word(in);
    const uint32_t even = even_bytes(x), odd = odd_bytes(x);
    uint32_t w0, w1;
    weights = load_words(weights, &w0, &w1);
    sums[0] = multiply_add(even, even_bytes(w0), sums[0]);
    sums[0] = multiply_add(odd, odd_bytes(w0), sums[0]);
    sums[1] = multiply_add(even, even_bytes(w1), sums[1]);
    sums[1] = multiply_add(odd, odd_bytes(w1), sums[1]);
    weights = load_words(weights, &w0, &w1);
    sums[2] = multiply_add(even, even_bytes(w0), sums[2]);
    sums[2] = multiply_add(odd, odd_bytes(w0), sums[2]);
    sums[3] = multiply_add(even, even_bytes(w1), sums[3]);
    sums[3] = multiply_add(odd, odd_bytes(w1), sums[3]);
  }
}
#else
INLINE int32_t multiply_word(const int8_t* x, const int8_t* w, int32_t sum) {
  return sum + x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
}

INLINE void multiply_1x4(const int8_t* in, const int8_t* weights, int32_t words, int32_t sums[4]) {
  for (; words > 0; --words, in += 4, weights += 16) {
    sums[0] = multiply_word(in, weights, sums[0]);
    sums[1] = multiply_word(in, weights + 4, sums[1]);
    sums[2] = multiply_word(in, weights + 8, sums[2]);
    sums[3] = multiply_word(in, weights + 12, sums[3]);
  }
}
#endif

KERNEL void linear(const struct linear* l, const int8_t* in, int8_t* out) {
  const int32_t words = l->words, zero = l->zero_out;
  const int8_t* weights = l->weights;
  const struct channel* channel = l->channels;
  for (int32_t left = l->filters; left > 0; left -= 4, channel += 4, out += 4) {
    int32_t sums[4] = {channel[0].bias, channel[1].bias, channel[2].bias, channel[3].bias};
    multiply_1x4(in, weights, words, sums);
    weights += 16 * words;
    out[0] = (int8_t)requantised(sums[0], &channel[0].factor, zero);
    out[1] = (int8_t)requantised(sums[1], &channel[1].factor, zero);
    out[2] = (int8_t)requantised(sums[2], &channel[2].factor, zero);
    out[3] = (int8_t)requantised(sums[3], &channel[3].factor, zero);
  }
}
