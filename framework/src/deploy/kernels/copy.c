/* `rows` rows of `length` bytes, output rows `step` apart. */
struct copy {
  int32_t rows;
  int32_t length;
  int32_t step;
};

KERNEL void copy(const struct copy* l, const int8_t* in, int8_t* out) {
  for (int32_t row = 0; row < l->rows; ++row, in += l->length, out += l->step)
    memcpy(out, in, (size_t)l->length);
}
