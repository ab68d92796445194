/* Adds cells of four neighbouring channels, step bytes apart, to sums. */
#if defined(THIMBLE_DSP)
INLINE void add_cells(const int8_t* cell, int32_t count, int32_t step, int32_t sums[4]) {
  while (count > 0) { /* int16 holds the sum of 256 cells */
    uint32_t even = 0, odd = 0;
    for (int32_t left = smaller(count, 256); left > 0; --left, cell += step) {
      const uint32_t word = load_word(cell);
      even = add_even_bytes(even, word);
      odd = add_odd_bytes(odd, word);
    }
    sums[0] += (int16_t)even;
    sums[1] += (int16_t)odd;
    sums[2] += (int32_t)even >> 16;
    sums[3] += (int32_t)odd >> 16;
    count -= 256;
  }
}
#else
INLINE void add_cells(const int8_t* cell, int32_t count, int32_t step, int32_t sums[4]) {
  for (; count > 0; --count, cell += step) {
    sums[0] += cell[0];
    sums[1] += cell[1];
    sums[2] += cell[2];
    sums[3] += cell[3];
  }
}
#endif

/* The sum of cells of one channel. */
INLINE int32_t sum_of_cells(const int8_t* cell, int32_t count, int32_t step) {
  int32_t sum = 0;
  for (; count > 0; --count, cell += step) sum += *cell;
  return sum;
}
