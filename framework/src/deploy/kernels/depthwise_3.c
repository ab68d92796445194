/* For windows of width 3: a loop of their own, because most are. */
KERNEL void multiply_width_3(const struct depthwise* l, const int8_t* rows, int32_t row_step,
                             int8_t* out) {
  multiply_channels(l, rows, row_step, 3, out);
}
