/* One input byte, one output byte: `rows` rows of `length`, output rows `step` apart. */
struct lookup {
  const int8_t* table; /* 256 values, by the bits of the input */
  int32_t rows;
  int32_t length;
  int32_t step;
};

KERNEL void lookup(const struct lookup* l, const int8_t* in, int8_t* out) {
  const int8_t* const table = l->table;
  const int32_t length = l->length, gap = l->step - length;
  for (int32_t row = l->rows; row > 0; --row, out += gap) {
    int32_t left = length;
    for (; left >= 4; left -= 4, in += 4, out += 4) {
      out[0] = table[(uint8_t)in[0]];
      out[1] = table[(uint8_t)in[1]];
      out[2] = table[(uint8_t)in[2]];
      out[3] = table[(uint8_t)in[3]];
    }
    for (; left > 0; --left) *out++ = table[(uint8_t)*in++];
  }
}
