/* Convolution: windows are unfolded into columns, two at a time, and multiplied with two filters at
 * a time. Cells beyond the edge are filled with the input's zero point, whose part is taken out of
 * the biases beforehand, so inner loops know neither edges nor zero points. */
struct conv {
  struct window window;
  const int8_t* weights;          /* filters 2 i and 2 i + 1 take turns, four values each */
  const struct channel* channels; /* an even number */
  int32_t out_channels;
  int32_t groups;
  int32_t zero_in;
  int32_t zero_out; /* 2 zero point + 1 */
};

/* Where the operands are; each step takes four values of each. */
struct operands {
  const int8_t *a, *b, *weights;
};

struct sums_2x2 {
  int32_t first[2];  /* of the first column, by filter */
  int32_t second[2]; /* of the second */
};

#if defined(THIMBLE_DSP)
#define COLUMN_BYTES 2 /* int16, in the order in which sxtb16 leaves them */

INLINE int8_t* append(int8_t* column, const int8_t* from, int32_t count) {
  for (; count >= 4; count -= 4) {
    const uint32_t word = load_word(from);
    column = store_words(column, even_bytes(word), odd_bytes(word));
    from += 4;
  }
  if (count > 0) {
    uint32_t word = 0;
    while (count > 0) word = word << 8 | (uint8_t)from[--count];
    column = store_words(column, even_bytes(word), odd_bytes(word));
  }
  return column;
}

INLINE void multiply_step(struct operands* at, struct sums_2x2* sums) {
  uint32_t w0, w1, even, odd;
  at->weights = load_words(at->weights, &w0, &w1);
  const uint32_t w0_even = even_bytes(w0), w0_odd = odd_bytes(w0);
  const uint32_t w1_even = even_bytes(w1), w1_odd = odd_bytes(w1);
  at->a = load_words(at->a, &even, &odd);
  sums->first[0] = multiply_add(even, w0_even, sums->first[0]);
  sums->first[1] = multiply_add(even, w1_even, sums->first[1]);
  sums->first[0] = multiply_add(odd, w0_odd, sums->first[0]);
  sums->first[1] = multiply_add(odd, w1_odd, sums->first[1]);
  at->b = load_words(at->b, &even, &odd);
  sums->second[0] = multiply_add(even, w0_even, sums->second[0]);
  sums->second[1] = multiply_add(even, w1_even, sums->second[1]);
  sums->second[0] = multiply_add(odd, w0_odd, sums->second[0]);
  sums->second[1] = multiply_add(odd, w1_odd, sums->second[1]);
}

#else
#define COLUMN_BYTES 1

INLINE int8_t* append(int8_t* column, const int8_t* from, int32_t count) {
  memcpy(column, from, (size_t)count);
  return column + (count + 3) / 4 * 4;
}

INLINE void multiply_value(int32_t a, int32_t b, const int8_t* weights, struct sums_2x2* sums) {
  const int32_t w0 = weights[0], w1 = weights[4];
  sums->first[0] += a * w0;
  sums->first[1] += a * w1;
  sums->second[0] += b * w0;
  sums->second[1] += b * w1;
}

INLINE void multiply_step(struct operands* at, struct sums_2x2* sums) {
  multiply_value(at->a[0], at->b[0], at->weights, sums);
  multiply_value(at->a[1], at->b[1], at->weights + 1, sums);
  multiply_value(at->a[2], at->b[2], at->weights + 2, sums);
  multiply_value(at->a[3], at->b[3], at->weights + 3, sums);
  at->a += 4, at->b += 4, at->weights += 8;
}
#endif

/* A row of a window that reaches beyond the edge, or whose channels are not neighbours. */
KERNEL void gather_row(const struct conv* l, const int8_t* in, int32_t y, int32_t x, int32_t count,
                       int8_t* row) {
  const struct window* w = &l->window;
  for (int32_t end = x + w->width; x < end; ++x, row += count) {
    if ((uint32_t)y < (uint32_t)w->in_height && (uint32_t)x < (uint32_t)w->in_width)
      memcpy(row, in + (y * w->in_width + x) * w->in_channels, (size_t)count);
    else
      memset(row, l->zero_in, (size_t)count);
  }
}

/* The window of output (y, x) as a column, rows padded to words. `in` starts at the group's first
 * channel. row: space for one row. */
KERNEL void unfold(const struct conv* l, const int8_t* in, int32_t y, int32_t x, int32_t count,
                   int8_t* column, int8_t* row) {
  const struct window* w = &l->window;
  y = y * w->stride_y - w->padding_y;
  x = x * w->stride_x - w->padding_x;
  const int is_whole = x >= 0 && x + w->width <= w->in_width && l->groups == 1;
  const int32_t row_step = w->in_width * w->in_channels;
  int32_t offset = y * row_step + x * w->in_channels;
  for (int32_t end = y + w->height; y < end; ++y, offset += row_step) {
    const int8_t* from = row;
    if (is_whole && (uint32_t)y < (uint32_t)w->in_height)
      from = in + offset;
    else
      gather_row(l, in, y, x, count, row);
    column = append(column, from, w->width * count);
  }
}

/* Two columns with the filters of a group: to a and b, which may be the same; then a's remain. */
KERNEL void multiply_columns(const struct conv* l, const int8_t* columns, int32_t steps,
                             int32_t first, int32_t count, int8_t* a, int8_t* b) {
  const int8_t* const second = columns + 4 * COLUMN_BYTES * steps;
  const int32_t zero = l->zero_out;
  const struct channel* channel = l->channels + first;
  const ptrdiff_t to_b = b - a;
  struct operands at = {columns, second, l->weights + 4 * steps * first};
  for (const int8_t* const end = a + count; a < end; channel += 2, a += 2) {
    struct sums_2x2 sums = {{channel[0].bias, channel[1].bias}, {channel[0].bias, channel[1].bias}};
    at.a = columns, at.b = second;
    if (steps & 1) multiply_step(&at, &sums);
    for (int32_t pairs = steps / 2; pairs > 0; --pairs) {
      multiply_step(&at, &sums);
      multiply_step(&at, &sums);
    }
    const struct factor *const factor = &channel[0].factor, *const next = &channel[1].factor;
    const int32_t b0 = requantised(sums.second[0], factor, zero);
    const int32_t a0 = requantised(sums.first[0], factor, zero);
    const int32_t b1 = requantised(sums.second[1], next, zero);
    const int32_t a1 = requantised(sums.first[1], next, zero);
    a[to_b] = (int8_t)b0;
    a[0] = (int8_t)a0;
    if (a + 1 == end) return;
    a[to_b + 1] = (int8_t)b1;
    a[1] = (int8_t)a1;
  }
}

/* scratch: two columns and a row. */
KERNEL void conv(const struct conv* l, const int8_t* in, int8_t* out, int8_t* scratch) {
  const struct window* w = &l->window;
  const int32_t in_count = w->in_channels / l->groups;
  const int32_t out_count = l->out_channels / l->groups;
  const int32_t steps = (w->width * in_count + 3) / 4 * w->height;
  int8_t* const second = scratch + 4 * COLUMN_BYTES * steps;
  int8_t* const row = second + 4 * COLUMN_BYTES * steps;
  for (int32_t group = 0; group < l->groups; ++group, in += in_count, out += out_count) {
    const int32_t first = group * ((out_count + 1) / 2 * 2);
    const int32_t pixels = w->out_height * w->out_width;
    int8_t* a = out;
    int32_t y = 0, x = 0;
    for (int32_t pixel = 0; pixel < pixels; pixel += 2) {
      int8_t* b = a;
      unfold(l, in, y, x, in_count, scratch, row);
      if (++x == w->out_width) ++y, x = 0;
      if (pixel + 1 < pixels) {
        unfold(l, in, y, x, in_count, second, row);
        if (++x == w->out_width) ++y, x = 0;
        b += l->out_channels;
      }
      multiply_columns(l, scratch, steps, first, out_count, a, b);
      a = b + l->out_channels;
    }
  }
}
