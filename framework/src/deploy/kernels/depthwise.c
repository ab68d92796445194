/* Depthwise convolution: four channels at a time, two cells of a row at a time. Windows that reach
 * beyond the edge are put together first, filled with the input's zero point, whose part is taken
 * out of the biases beforehand. */
struct depthwise {
  /* All channels of one output: multiply_channels() for the window's width. rows: the window's
   * first cell, row_step bytes from row to row. */
  void (*multiply)(const struct depthwise* l, const int8_t* rows, int32_t row_step, int8_t* out);
  struct window window;
  const int8_t* weights;          /* by block of four channels; see multiply_two() */
  const struct channel* channels; /* four a block */
  int32_t zero_in;
  int32_t zero_out; /* 2 zero point + 1 */
};

/* Cells a and b of four channels, with their weights a0 a1 b0 b1 a2 a3 b2 b3. */
#if defined(THIMBLE_DSP)
INLINE const int8_t* multiply_two(const int8_t* a, const int8_t* b, const int8_t* weights,
                                  int32_t sums[4]) {
  const uint32_t first = load_word(a), second = load_word(b);
  const uint32_t low = lower_halves(first, second), high = upper_halves(first, second);
  uint32_t w_low, w_high;
  weights = load_words(weights, &w_low, &w_high);
  sums[0] = multiply_add(even_bytes(low), even_bytes(w_low), sums[0]);
  sums[1] = multiply_add(odd_bytes(low), odd_bytes(w_low), sums[1]);
  sums[2] = multiply_add(even_bytes(high), even_bytes(w_high), sums[2]);
  sums[3] = multiply_add(odd_bytes(high), odd_bytes(w_high), sums[3]);
  return weights;
}
#else
INLINE const int8_t* multiply_two(const int8_t* a, const int8_t* b, const int8_t* weights,
                                  int32_t sums[4]) {
  sums[0] += a[0] * weights[0] + b[0] * weights[2];
  sums[1] += a[1] * weights[1] + b[1] * weights[3];
  sums[2] += a[2] * weights[4] + b[2] * weights[6];
  sums[3] += a[3] * weights[5] + b[3] * weights[7];
  return weights + 8;
}
#endif

/* One cell of four channels. */
INLINE const int8_t* multiply_one(const int8_t* cell, const int8_t* weights, int32_t sums[4]) {
#if defined(THIMBLE_DSP)
  const uint32_t x = load_word(cell), w = load_word(weights);
  const int32_t even = (int32_t)even_bytes(x), odd = (int32_t)odd_bytes(x);
  const int32_t w_even = (int32_t)even_bytes(w), w_odd = (int32_t)odd_bytes(w);
  sums[0] += (int16_t)even * (int16_t)w_even;
  sums[1] += (int16_t)odd * (int16_t)w_odd;
  sums[2] += (even >> 16) * (w_even >> 16);
  sums[3] += (odd >> 16) * (w_odd >> 16);
#else
  sums[0] += cell[0] * weights[0];
  sums[1] += cell[1] * weights[1];
  sums[2] += cell[2] * weights[2];
  sums[3] += cell[3] * weights[3];
#endif
  return weights + 4;
}

/* A row of cells, step bytes apart, with its weights, behind which it returns. */
INLINE const int8_t* multiply_row(const int8_t* cell, int32_t step, int32_t width,
                                  const int8_t* weights, int32_t sums[4]) {
  switch (width) { /* windows are odd nearly always */
    case 7:
      weights = multiply_two(cell, cell + step, weights, sums);
      cell += 2 * step; /* fall through */
    case 5:
      weights = multiply_two(cell, cell + step, weights, sums);
      cell += 2 * step; /* fall through */
    case 3:
      weights = multiply_two(cell, cell + step, weights, sums);
      cell += 2 * step; /* fall through */
    case 1: return multiply_one(cell, weights, sums);
    default: break;
  }
  for (; width > 1; width -= 2, cell += 2 * step)
    weights = multiply_two(cell, cell + step, weights, sums);
  return width > 0 ? multiply_one(cell, weights, sums) : weights;
}

/* The last block overlaps the one before where channels are no multiple of four. */
INLINE void multiply_channels(const struct depthwise* l, const int8_t* rows, int32_t row_step,
                              int32_t width, int8_t* out) {
  const int32_t channels = l->window.in_channels, height = l->window.height;
  const int32_t zero = l->zero_out;
  const struct channel* channel = l->channels;
  const int8_t* weights = l->weights;
  for (int32_t c = 0; c < channels; c += 4, channel += 4) {
    c = smaller(c, channels - 4);
    int32_t sums[4] = {channel[0].bias, channel[1].bias, channel[2].bias, channel[3].bias};
    const int8_t* row = rows + c;
    for (int32_t y = height; y > 0; --y, row += row_step)
      weights = multiply_row(row, channels, width, weights, sums);
    int8_t* const to = out + c;
    to[0] = (int8_t)requantised(sums[0], &channel[0].factor, zero);
    to[1] = (int8_t)requantised(sums[1], &channel[1].factor, zero);
    to[2] = (int8_t)requantised(sums[2], &channel[2].factor, zero);
    to[3] = (int8_t)requantised(sums[3], &channel[3].factor, zero);
  }
}

/* A window that reaches beyond the edge; (y, x) is its first cell. */
KERNEL void gather_window(const struct depthwise* l, const int8_t* in, int32_t y, int32_t x,
                          int8_t* to) {
  const struct window* w = &l->window;
  const int32_t channels = w->in_channels;
  const int32_t width = w->width * channels;
  const int32_t left = smaller(larger(-x, 0), w->width) * channels;
  const int32_t right = smaller(larger(x + w->width - w->in_width, 0), w->width) * channels;
  for (int32_t end = y + w->height; y < end; ++y, to += width) {
    if ((uint32_t)y >= (uint32_t)w->in_height || left + right >= width) {
      memset(to, l->zero_in, (size_t)width);
      continue;
    }
    memset(to, l->zero_in, (size_t)left);
    memcpy(to + left, in + (y * w->in_width + x) * channels + left, (size_t)(width - left - right));
    memset(to + width - right, l->zero_in, (size_t)right);
  }
}

/* scratch: one window. */
KERNEL void depthwise(const struct depthwise* l, const int8_t* in, int8_t* out, int8_t* scratch) {
  const struct window* w = &l->window;
  const int32_t row_step = w->in_width * w->in_channels;
  for (int32_t row = 0; row < w->out_height; ++row) {
    const int32_t y = row * w->stride_y - w->padding_y;
    const int is_whole_row = y >= 0 && y + w->height <= w->in_height;
    int32_t x = -w->padding_x;
    for (int32_t left = w->out_width; left > 0; --left, x += w->stride_x, out += w->in_channels) {
      if (is_whole_row && x >= 0 && x + w->width <= w->in_width) {
        l->multiply(l, in + y * row_step + x * w->in_channels, row_step, out);
      } else {
        gather_window(l, in, y, x, scratch);
        l->multiply(l, scratch, w->width * w->in_channels, out);
      }
    }
  }
}
