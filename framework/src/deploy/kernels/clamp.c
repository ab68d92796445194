/* Clamps words of four values, over the input or not. */
struct clamp {
  int32_t words;
  int32_t lowest;
  int32_t highest;
};

KERNEL void clamp(const struct clamp* l, const int8_t* in, int8_t* out) {
#if defined(THIMBLE_DSP)
  const uint32_t lowest = (uint32_t)(l->lowest & 255) * 0x01010101u;
  const uint32_t highest = (uint32_t)(l->highest & 255) * 0x01010101u;
  for (int32_t i = 0; i < 4 * l->words; i += 4)
    store_word(out + i, smaller_bytes(larger_bytes(load_word(in + i), lowest), highest));
#else
  const int32_t lowest = l->lowest, highest = l->highest;
  for (int32_t i = 0; i < 4 * l->words; ++i)
    out[i] = (int8_t)smaller(larger(in[i], lowest), highest);
#endif
}
