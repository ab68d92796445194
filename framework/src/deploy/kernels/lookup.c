/* One input byte, one output byte: `rows` rows of `length`, output rows `step` apart. */
struct lookup {
  const int8_t* table; /* 256 values, by the bits of the input */
  int32_t rows;
  int32_t length;
  int32_t step;
};

KERNEL void lookup(const struct lookup* l, const int8_t* in, int8_t* out) {
  const int8_t* const table = l->table;
  for (int32_t row = 0; row < l->rows; ++row, in += l->length, out += l->step)
    for (int32_t i = 0; i < l->length; ++i) out[i] = table[(uint8_t)in[i]];
}
