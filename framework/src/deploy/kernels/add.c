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

INLINE int32_t widened(int32_t x, int32_t zero) { return x * (1 << 20) - zero; }

INLINE void add_term(const struct term* term, int32_t place, int32_t sums[4]) {
  const int8_t* const in = term->in + place;
  const struct factor* const factor = &term->factor;
  const int32_t x0 = widened(in[0], term->zero), x1 = widened(in[1], term->zero);
  const int32_t x2 = widened(in[2], term->zero), x3 = widened(in[3], term->zero);
  sums[0] += scaled(x0, factor);
  sums[1] += scaled(x1, factor);
  sums[2] += scaled(x2, factor);
  sums[3] += scaled(x3, factor);
}

KERNEL void add(const struct add* l, int8_t* out) {
  const struct term *const begin = l->terms, *const end = begin + l->count;
  const struct factor factor = l->factor;
  const int32_t zero = l->zero_out, size = 4 * l->words;
  for (int32_t place = 0; place < size; place += 4, out += 4) {
    int32_t sums[4] = {0};
    for (const struct term* term = begin; term < end; ++term) add_term(term, place, sums);
    out[0] = (int8_t)requantised(sums[0], &factor, zero);
    out[1] = (int8_t)requantised(sums[1], &factor, zero);
    out[2] = (int8_t)requantised(sums[2], &factor, zero);
    out[3] = (int8_t)requantised(sums[3], &factor, zero);
  }
}
