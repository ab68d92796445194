/* main() for the C of a network: input.bin in, output.bin out. */
#include "thimble_firmware.h"

#define JOINED(a, b) a##b
#define OF_NETWORK(name, suffix) JOINED(name, suffix)
#define NETWORK(suffix) OF_NETWORK(THIMBLE_NETWORK, suffix)

int8_t* NETWORK(_input)(void);
void NETWORK(_run)(void);
const int8_t* NETWORK(_output)(void);

enum { kWholeRun = 2 * (THIMBLE_REGIONS - 1), kNoInput = 1, kNoOutput = 2 };

static void mark(uint32_t number) {
#ifdef THIMBLE_PROFILE
  thimble_mark(number);
#else
  (void)number;
#endif
}

int main(void) {
  const int32_t got = thimble_read_file("input.bin", NETWORK(_input)(), THIMBLE_INPUT_BYTES);
  if (got != THIMBLE_INPUT_BYTES) return kNoInput;
  mark(kWholeRun);
  NETWORK(_run)();
  mark(kWholeRun + 1);
  const int32_t put = thimble_write_file("output.bin", NETWORK(_output)(), THIMBLE_OUTPUT_BYTES);
  return put == THIMBLE_OUTPUT_BYTES ? 0 : kNoOutput;
}
