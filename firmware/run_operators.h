/* What run_operators.c runs: thimble writes the table for the operators that it profiles. */
#ifndef RUN_OPERATORS_H
#define RUN_OPERATORS_H

#include <stdint.h>

struct thimble_operator {
  const char* name;   /* as look-up tables write it */
  uint64_t input_key; /* of the stream that its input is drawn from */
  int8_t* (*input)(void);
  void (*run)(void);
  const int8_t* (*output)(void);
  uint32_t input_bytes, output_bytes;
  uint32_t region; /* of the operator without what makes its inputs */
};

extern const struct thimble_operator thimble_operators[];
extern const uint32_t thimble_operator_count;
extern const char thimble_kernels[]; /* "thimble 5f1c..." */

/* For a project with a start-up of its own: call it once, when clocks, caches and thimble_print()
 * work. Measures everything and prints a line of JSON for each operator. */
void thimble_profile(void);

#endif
