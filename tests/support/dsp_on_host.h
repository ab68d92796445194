/* The instructions of the DSP extension that generated code uses, in C: what THIMBLE_DSP names. */

static inline __attribute__((unused)) uint32_t dsp_pair(int32_t low, int32_t high) {
  return ((uint32_t)high << 16) | ((uint32_t)low & 0xffffu);
}

static inline __attribute__((unused)) int32_t dsp_byte(uint32_t x, int i) {
  return (int8_t)(x >> (8 * i));
}

static inline __attribute__((unused)) int32_t dsp_half(uint32_t x, int i) {
  return (int16_t)(x >> (16 * i));
}

INLINE uint32_t even_bytes(uint32_t x) { return dsp_pair(dsp_byte(x, 0), dsp_byte(x, 2)); }
INLINE uint32_t odd_bytes(uint32_t x) { return dsp_pair(dsp_byte(x, 1), dsp_byte(x, 3)); }

INLINE uint32_t add_even_bytes(uint32_t sum, uint32_t x) {
  return dsp_pair(dsp_half(sum, 0) + dsp_byte(x, 0), dsp_half(sum, 1) + dsp_byte(x, 2));
}

INLINE uint32_t add_odd_bytes(uint32_t sum, uint32_t x) {
  return dsp_pair(dsp_half(sum, 0) + dsp_byte(x, 1), dsp_half(sum, 1) + dsp_byte(x, 3));
}

INLINE uint32_t subtract_halves(uint32_t x, uint32_t y) {
  return dsp_pair(dsp_half(x, 0) - dsp_half(y, 0), dsp_half(x, 1) - dsp_half(y, 1));
}

INLINE int32_t multiply_add(uint32_t x, uint32_t y, int32_t sum) {
  const int32_t products = dsp_half(x, 0) * dsp_half(y, 0) + dsp_half(x, 1) * dsp_half(y, 1);
  return (int32_t)((uint32_t)sum + (uint32_t)products);
}

INLINE uint32_t lower_halves(uint32_t a, uint32_t b) { return (a & 0xffffu) | (b << 16); }
INLINE uint32_t upper_halves(uint32_t a, uint32_t b) { return (a >> 16) | (b & 0xffff0000u); }

INLINE uint32_t dsp_chosen_bytes(uint32_t a, uint32_t b, int sign) {
  uint32_t chosen = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t from = sign * dsp_byte(a, i) >= sign * dsp_byte(b, i) ? a : b;
    chosen |= from & (0xffu << (8 * i));
  }
  return chosen;
}

INLINE uint32_t larger_bytes(uint32_t a, uint32_t b) { return dsp_chosen_bytes(a, b, 1); }
INLINE uint32_t smaller_bytes(uint32_t a, uint32_t b) { return dsp_chosen_bytes(a, b, -1); }

INLINE const int8_t* load_words(const int8_t* from, uint32_t* first, uint32_t* second) {
  *first = load_word(from);
  *second = load_word(from + 4);
  return from + 8;
}

INLINE int8_t* store_words(int8_t* to, uint32_t first, uint32_t second) {
  store_word(to, first);
  store_word(to + 4, second);
  return to + 8;
}

INLINE int32_t multiplied(int32_t x, int32_t twice) {
  return x + (int32_t)(((int64_t)x * twice + ((int64_t)1 << 31)) >> 32);
}
