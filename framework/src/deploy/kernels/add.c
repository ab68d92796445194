/* The sum of two or more tensors, four values at a time; may go over one of them. */
struct term {
  const int8_t* in;
  int32_t zero; /* zero point x 2^20 */
  struct factor factor;
};

struct add {
  const struct term* terms;
  int32_t count;
  int32_t words;
  struct factor factor;
  int32_t zero_out; /* 2 zero point + 1 */
};

INLINE int32_t term_of(int32_t x, const struct term* term) {
  return scaled(x * (1 << 20) - term->zero, term->factor);
}

KERNEL void add(const struct add* l, int8_t* out) {
  const struct term* const end = l->terms + l->count;
  for (int32_t i = 0; i < 4 * l->words; i += 4) {
    int32_t sums[4] = {0};
    for (const struct term* term = l->terms; term < end; ++term) {
      const int8_t* const in = term->in + i;
      sums[0] += term_of(in[0], term);
      sums[1] += term_of(in[1], term);
      sums[2] += term_of(in[2], term);
      sums[3] += term_of(in[3], term);
    }
    out[i] = requantised(sums[0], &l->factor, l->zero_out);
    out[i + 1] = requantised(sums[1], &l->factor, l->zero_out);
    out[i + 2] = requantised(sums[2], &l->factor, l->zero_out);
    out[i + 3] = requantised(sums[3], &l->factor, l->zero_out);
  }
}
