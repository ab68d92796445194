/* Average pooling: sums move along a row, four channels at a time; a column of cells that comes in
 * is added, one that goes is taken away. */
INLINE int8_t quotient(int32_t sum, int32_t count) {
  const int32_t half = count / 2;
  return (int8_t)((sum < 0 ? sum - half : sum + half) / count);
}

/* Four channels of an output row. in: their first cell in the windows' upper valid row. */
KERNEL void average_row(const struct window* w, const int8_t* in, int32_t rows, int8_t* out) {
  const int32_t channels = w->in_channels, in_width = w->in_width, row_step = in_width * channels;
  const int32_t width = w->width, stride = w->stride_x;
  struct sums sums = no_sums;
  int32_t begin = 0, end = 0; /* columns in the sums */
  int32_t x = -w->padding_x;
  for (int32_t left = w->out_width; left > 0; --left, x += stride, out += channels) {
    const int32_t last = smaller(x + width, in_width);
    for (; begin < smaller(x, end); ++begin)
      sums = without(sums, sums_of_cells(no_sums, in + begin * channels, rows, row_step));
    if (begin < x) begin = end = x;
    for (; end < last; ++end) sums = sums_of_cells(sums, in + end * channels, rows, row_step);
    const int32_t count = rows * (end - begin);
    out[0] = quotient(sum_at(sums, 0), count);
    out[1] = quotient(sum_at(sums, 1), count);
    out[2] = quotient(sum_at(sums, 2), count);
    out[3] = quotient(sum_at(sums, 3), count);
  }
}

/* One channel of an output row. */
KERNEL void average_channel(const struct window* w, const int8_t* in, int32_t rows, int8_t* out) {
  const int32_t channels = w->in_channels, row_step = w->in_width * channels;
  int32_t x = -w->padding_x;
  for (int32_t left = w->out_width; left > 0; --left, x += w->stride_x, out += channels) {
    const int32_t begin = larger(x, 0), end = smaller(x + w->width, w->in_width);
    int32_t sum = 0;
    for (int32_t column = begin; column < end; ++column)
      sum += sum_of_cells(in + column * channels, rows, row_step);
    *out = quotient(sum, rows * (end - begin));
  }
}

KERNEL void avg_pool(const struct window* w, const int8_t* in, int8_t* out) {
  const int32_t channels = w->in_channels;
  const int32_t in_fours = w->height * w->width <= 256 ? channels / 4 * 4 : 0;
  int32_t y = -w->padding_y;
  for (int32_t row = 0; row < w->out_height; ++row, y += w->stride_y) {
    const int32_t begin = larger(y, 0), rows = smaller(y + w->height, w->in_height) - begin;
    const int8_t* const from = in + begin * w->in_width * channels;
    for (int32_t c = 0; c < in_fours; c += 4) average_row(w, from + c, rows, out + c);
    for (int32_t c = in_fours; c < channels; ++c) average_channel(w, from + c, rows, out + c);
    out += w->out_width * channels;
  }
}
