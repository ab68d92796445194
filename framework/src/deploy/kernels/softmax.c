/* Softmax over all values in fixed point, as gemmlowp computes it: Qa.b has a integer bits. */
struct softmax {
  int32_t count;
  int32_t multiplier; /* differences to the maximum, to Q5.26 */
  int32_t shift;
  int32_t diff_min; /* differences below this count as 0 */
};

INLINE int32_t product(int32_t a, int32_t b) { return rescaled(a, b, 0); }

/* x 2^bits; saturated. */
INLINE int32_t enlarged(int32_t x, int32_t bits) {
  const int32_t limit = INT32_MAX >> bits;
  return x > limit ? INT32_MAX : x < -limit - 1 ? INT32_MIN : x * (1 << bits);
}

/* e^x in Q0.31 for x in Q0.31 from -1/4 to 0: four terms of the series around -1/8. */
KERNEL int32_t exp_near_zero(int32_t x) {
  const int32_t exp_of_centre = 1895147668, third = 715827883;
  x += 1 << 28;
  const int32_t x2 = product(x, x);
  const int32_t x3 = product(x2, x);
  const int32_t x4 = product(x2, x2);
  const int32_t tail = divided(product(divided(x4, 2) + x3, third) + x2, 1);
  return exp_of_centre + product(exp_of_centre, x + tail);
}

/* e^x in Q0.31 for x <= 0 in Q5.26: e to the rest modulo 1/4, times e^-(2^i / 4) for each bit i. */
KERNEL int32_t exp_of_negative(int32_t x) {
  static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308,
                                    39332535,   720401,     242};
  const int32_t quarter = 1 << 24;
  const int32_t rest = (x & (quarter - 1)) - quarter;
  int32_t result = exp_near_zero(enlarged(rest, 5));
  for (int32_t i = 0; i < 7; ++i)
    if ((rest - x) & (quarter << i)) result = product(result, factors[i]);
  return x == 0 ? INT32_MAX : result;
}

/* 1 / (1 + x) in Q0.31 for x in Q0.31 from 0 to 1: three steps of Newton's in Q2.29. */
KERNEL int32_t reciprocal(int32_t x) {
  const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
  int32_t guess = 1515870810 + product(half, -1010580540); /* 48 / 17 - 32 / 17 half */
  for (int32_t i = 0; i < 3; ++i)
    guess += enlarged(product(guess, (1 << 29) - product(half, guess)), 2);
  return enlarged(guess, 1);
}

KERNEL void softmax(const struct softmax* l, const int8_t* in, int8_t* out) {
  const int32_t most_sum = 1 << 28; /* 512 in Q12.19: no share is nearer to 1 / 256 than to 0 */
  int32_t maximum = in[0], sum = 0, zeros = 0;
  for (int32_t i = 1; i < l->count; ++i) maximum = larger(maximum, in[i]);
  for (int32_t i = 0; i < l->count && sum < most_sum; ++i)
    if (in[i] - maximum >= l->diff_min)
      sum += divided(exp_of_negative(rescaled(in[i] - maximum, l->multiplier, l->shift)), 12);
  if (sum >= most_sum) {
    memset(out, -128, (size_t)l->count);
    return;
  }
  while (!((uint32_t)sum << zeros >> 31)) ++zeros;
  const int32_t scale = reciprocal((int32_t)(((uint32_t)sum << zeros) - (1u << 31)));
  for (int32_t i = 0; i < l->count; ++i) {
    int32_t value = 0;
    if (in[i] - maximum >= l->diff_min) {
      const int32_t power = exp_of_negative(rescaled(in[i] - maximum, l->multiplier, l->shift));
      value = divided(product(scale, power), 12 - zeros + 31 - 8);
    }
    out[i] = (int8_t)smaller(larger(value - 128, -128), 127);
  }
}
