/* Maximum pooling: the window's first cell is copied, the others are compared with it. */
KERNEL void keep_larger(int8_t* best, const int8_t* cell, int32_t count) {
#if defined(THIMBLE_DSP)
  for (; count >= 4; count -= 4, best += 4, cell += 4)
    store_word(best, larger_bytes(load_word(best), load_word(cell)));
#endif
  for (; count > 0; --count, ++best, ++cell) *best = (int8_t)larger(*best, *cell);
}

KERNEL void max_pool(const struct window* w, const int8_t* in, int8_t* out) {
  const int32_t channels = w->in_channels;
  for (int32_t row = 0; row < w->out_height; ++row) {
    const int32_t y = row * w->stride_y - w->padding_y;
    const int32_t top = larger(y, 0), bottom = smaller(y + w->height, w->in_height);
    int32_t x = -w->padding_x;
    for (int32_t left = w->out_width; left > 0; --left, x += w->stride_x, out += channels) {
      const int32_t begin = larger(x, 0), end = smaller(x + w->width, w->in_width);
      memcpy(out, in + (top * w->in_width + begin) * channels, (size_t)channels);
      for (int32_t i = top; i < bottom; ++i)
        for (int32_t j = begin; j < end; ++j)
          keep_larger(out, in + (i * w->in_width + j) * channels, channels);
    }
  }
}
