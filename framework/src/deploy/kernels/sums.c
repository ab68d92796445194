/* Sums over cells of four neighbouring channels. With the DSP extension they are int16, which holds
 * 256 cells. */
#if defined(THIMBLE_DSP)
struct sums {
  uint32_t even, odd;
};

INLINE struct sums sums_of_cells(struct sums sums, const int8_t* cell, int32_t count,
                                 int32_t step) {
  for (; count > 0; --count, cell += step) {
    const uint32_t word = load_word(cell);
    sums.even = add_even_bytes(sums.even, word);
    sums.odd = add_odd_bytes(sums.odd, word);
  }
  return sums;
}

INLINE struct sums without(struct sums sums, struct sums gone) {
  sums.even = subtract_halves(sums.even, gone.even);
  sums.odd = subtract_halves(sums.odd, gone.odd);
  return sums;
}

INLINE int32_t sum_at(struct sums sums, int channel) {
  const int32_t pair = (int32_t)(channel & 1 ? sums.odd : sums.even);
  return channel & 2 ? pair >> 16 : (int16_t)pair;
}
#else
struct sums {
  int32_t of[4];
};

INLINE struct sums sums_of_cells(struct sums sums, const int8_t* cell, int32_t count,
                                 int32_t step) {
  for (; count > 0; --count, cell += step) {
    sums.of[0] += cell[0];
    sums.of[1] += cell[1];
    sums.of[2] += cell[2];
    sums.of[3] += cell[3];
  }
  return sums;
}

INLINE struct sums without(struct sums sums, struct sums gone) {
  sums.of[0] -= gone.of[0];
  sums.of[1] -= gone.of[1];
  sums.of[2] -= gone.of[2];
  sums.of[3] -= gone.of[3];
  return sums;
}

INLINE int32_t sum_at(struct sums sums, int channel) { return sums.of[channel]; }
#endif

static const struct sums no_sums;

/* The sum over cells of one channel. */
INLINE int32_t sum_of_cells(const int8_t* cell, int32_t count, int32_t step) {
  int32_t sum = 0;
  for (; count > 0; --count, cell += step) sum += *cell;
  return sum;
}
