/* For windows of any width. */
KERNEL void multiply_width_any(const struct depthwise* l, const int8_t* rows, int32_t row_step,
                               int8_t* out) {
  multiply_channels(l, rows, row_step, l->window.width, out);
}
