/* Arm semihosting: bkpt 0xAB with an operation and the address of its arguments. */
#include <stddef.h>
#include <string.h>

#include "thimble_firmware.h"

enum operation {
  kOpen = 0x01,
  kClose = 0x02,
  kWriteText = 0x04,
  kWrite = 0x05,
  kRead = 0x06,
  kExit = 0x20, /* SYS_EXIT_EXTENDED: SYS_EXIT has no status in 32 bits */
};
enum { kReadBinary = 1, kWriteBinary = 5 };
enum { kApplicationExit = 0x20026 };

static int32_t call(enum operation operation, const void* arguments) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void* r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return (int32_t)r0;
}

#define GIVES_WAY __attribute__((weak))

GIVES_WAY void thimble_print(const char* text) { call(kWriteText, text); }

/* Reads or writes one file; semihosting counts the bytes that were not transferred. */
static int32_t transfer(enum operation operation, int mode, const char* name, const void* memory,
                        uint32_t bytes) {
  const uint32_t file[] = {(uint32_t)name, (uint32_t)mode, strlen(name)};
  const int32_t handle = call(kOpen, file);
  if (handle == -1) return -1;
  const uint32_t block[] = {(uint32_t)handle, (uint32_t)memory, bytes};
  const uint32_t missing = (uint32_t)call(operation, block);
  const uint32_t closed[] = {(uint32_t)handle};
  call(kClose, closed);
  return missing <= bytes ? (int32_t)(bytes - missing) : -1;
}

int32_t thimble_read_file(const char* name, void* to, uint32_t most) {
  return transfer(kRead, kReadBinary, name, to, most);
}

int32_t thimble_write_file(const char* name, const void* from, uint32_t bytes) {
  return transfer(kWrite, kWriteBinary, name, from, bytes);
}

GIVES_WAY void thimble_exit(int status) {
  const uint32_t reason[] = {kApplicationExit, (uint32_t)status};
  for (;;) call(kExit, reason);
}
