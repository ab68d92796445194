#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A kernel stays one function, not cloned for a layer's constants: so code is there once, and takes
 * the same instructions in whatever network. */
#if defined(__GNUC__) && !defined(__clang__)
#define KERNEL static __attribute__((noinline, noipa))
#elif defined(__GNUC__)
#define KERNEL static __attribute__((noinline))
#else
#define KERNEL static
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused))
#define WORD_ALIGNED __attribute__((aligned(4)))
#else
#define INLINE static inline
#define WORD_ALIGNED
#endif

INLINE uint32_t load_word(const int8_t* from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

INLINE void store_word(int8_t* to, uint32_t word) { memcpy(to, &word, sizeof word); }

/* The DSP extension: words as four int8 or two int16. THIMBLE_DSP names a header with the same
 * functions in C, to test what is made of them where there is no such core. */
#if defined(THIMBLE_DSP)
#include THIMBLE_DSP
#elif defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define THIMBLE_DSP

/* In the order in which they are written: in the compiler's own, more values are alive at a time
 * than there are registers. */
#define IN_ORDER __asm__ volatile

/* Bytes 0 and 2, or 1 and 3, as int16. */
INLINE uint32_t even_bytes(uint32_t x) {
  IN_ORDER("sxtb16 %0, %1" : "=r"(x) : "r"(x));
  return x;
}

INLINE uint32_t odd_bytes(uint32_t x) {
  IN_ORDER("sxtb16 %0, %1, ror #8" : "=r"(x) : "r"(x));
  return x;
}

/* Two int16 sums, to which these bytes are added. */
INLINE uint32_t add_even_bytes(uint32_t sum, uint32_t x) {
  IN_ORDER("sxtab16 %0, %1, %2" : "=r"(sum) : "r"(sum), "r"(x));
  return sum;
}

INLINE uint32_t add_odd_bytes(uint32_t sum, uint32_t x) {
  IN_ORDER("sxtab16 %0, %1, %2, ror #8" : "=r"(sum) : "r"(sum), "r"(x));
  return sum;
}

/* Differences of int16. */
INLINE uint32_t subtract_halves(uint32_t x, uint32_t y) {
  IN_ORDER("ssub16 %0, %1, %2" : "=r"(x) : "r"(x), "r"(y));
  return x;
}

/* sum + both products of int16. */
INLINE int32_t multiply_add(uint32_t x, uint32_t y, int32_t sum) {
  IN_ORDER("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(x), "r"(y));
  return sum;
}

/* Lower halves of both, a's below b's; and the upper halves. */
INLINE uint32_t lower_halves(uint32_t a, uint32_t b) {
  IN_ORDER("pkhbt %0, %1, %2, lsl #16" : "=r"(a) : "r"(a), "r"(b));
  return a;
}

INLINE uint32_t upper_halves(uint32_t a, uint32_t b) {
  IN_ORDER("pkhtb %0, %1, %2, asr #16" : "=r"(a) : "r"(b), "r"(a));
  return a;
}

/* Byte by byte, signed. */
INLINE uint32_t larger_bytes(uint32_t a, uint32_t b) {
  uint32_t difference;
  IN_ORDER("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(difference) : "r"(a), "r"(b));
  return difference;
}

INLINE uint32_t smaller_bytes(uint32_t a, uint32_t b) {
  uint32_t difference;
  IN_ORDER("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(difference) : "r"(a), "r"(b));
  return difference;
}

/* Two words from a word's boundary, and the place behind them. */
INLINE const int8_t* load_words(const int8_t* from, uint32_t* first, uint32_t* second) {
  IN_ORDER("ldrd %0, %1, [%2], #8" : "=&r"(*first), "=&r"(*second), "+r"(from) : : "memory");
  return from;
}

INLINE int8_t* store_words(int8_t* to, uint32_t first, uint32_t second) {
  IN_ORDER("strd %1, %2, [%0], #8" : "+r"(to) : "r"(first), "r"(second) : "memory");
  return to;
}

/* x times 1 + twice / 2^32, ties up. */
INLINE int32_t multiplied(int32_t x, int32_t twice) {
  IN_ORDER("smmlar %0, %1, %2, %3" : "=r"(x) : "r"(x), "r"(twice), "r"(x));
  return x;
}
#endif

#if !defined(THIMBLE_DSP)
INLINE int32_t multiplied(int32_t x, int32_t twice) {
  const int64_t product = (int64_t)x * twice;
  return x + (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
}
#endif

/* x / 2 in int8. */
INLINE int32_t saturated_half(int32_t x) {
#if defined(__ARM_FEATURE_SAT) && __ARM_FEATURE_SAT
  __asm__("ssat %0, #8, %1, asr #1" : "=r"(x) : "r"(x));
#else
  x >>= 1;
  x = x < -128 ? -128 : x;
  x = x > 127 ? 127 : x;
#endif
  return x;
}

/* A positive factor multiplier / 2^31 x 2^exponent with a multiplier of 2^30 or more. `twice` is
 * 2 multiplier - 2^32: then the first rounding is one instruction. `shift` is ~exponent: one less
 * than the shift to the right, whose last bit is what the second rounding looks at; negative for an
 * exponent of 0 or more, that is, a shift to the left. */
struct factor {
  int32_t twice;
  int32_t shift;
};

INLINE int32_t shifted_left(int32_t x, int32_t shift) { return (int32_t)((uint32_t)x << shift); }

/* Twice x times the factor, rounding of the last bit still to come; for shifts to the right. Ties
 * go away from 0: therefore one is taken from what is negative. */
INLINE int32_t scaled_twice(int32_t x, const struct factor* factor) {
  const int32_t product = multiplied(x, factor->twice);
  return (product + (product >> 31)) >> factor->shift;
}

INLINE int32_t scaled(int32_t x, const struct factor* factor) {
  if (factor->shift < 0) return multiplied(shifted_left(x, ~factor->shift), factor->twice);
  return (scaled_twice(x, factor) + 1) >> 1;
}

/* What a layer adds to the sum of an output channel, and what it multiplies it with. */
struct channel {
  int32_t bias;
  struct factor factor;
};

/* A window that moves over a tensor of height x width x channels. */
struct window {
  int32_t in_height, in_width, in_channels;
  int32_t out_height, out_width;
  int32_t height, width;
  int32_t stride_y, stride_x;
  int32_t padding_y, padding_x;
};

INLINE int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }
INLINE int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
