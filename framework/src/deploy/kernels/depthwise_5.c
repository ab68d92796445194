/* For windows of width 5: a loop of their own, because most are. */
KERNEL void multiply_width_5(const struct depthwise* l, const int8_t* rows, int32_t row_step,
                             int8_t* out) {
  multiply_channels(l, rows, row_step, 5, out);
}
