/* What thimble gives a program on a Cortex-M: text, files and an exit status through semihosting,
 * and marks that time regions. The program brings `int main(void)`; start.c calls it, reports, and
 * exits with its status. Everything here runs in QEMU and, under a debugger, on a board. */
#ifndef THIMBLE_FIRMWARE_H
#define THIMBLE_FIRMWARE_H

#include <stdint.h>

/* Marks are even where a region begins and odd where it ends: region i lies between 2 i and
 * 2 i + 1. Regions may be entered again and may enclose each other. */
#ifndef THIMBLE_REGIONS
#define THIMBLE_REGIONS 256
#endif

void thimble_mark(uint32_t mark);

/* Text goes to whoever runs the program. A board may bring a thimble_print() and a thimble_exit()
 * of its own: those of semihosting.c give way. */
void thimble_print(const char* text);
void thimble_print_number(uint64_t number);

/* Files of the host, in the folder where the emulator or the debugger was started. Both return the
 * number of bytes that were transferred, or -1. */
int32_t thimble_read_file(const char* name, void* to, uint32_t most);
int32_t thimble_write_file(const char* name, const void* from, uint32_t bytes);

void thimble_exit(int status) __attribute__((noreturn));

/* Most bytes of stack that were in use since the start. */
uint32_t thimble_stack_used(void);

/* "cycles" or "systick": both count cycles of the processor; "none" where there is neither. */
const char* thimble_clock(void);

/* What a region took since this was last called for it, without what marks take. */
uint64_t thimble_take_ticks(uint32_t region);

/* Between these no interrupt is taken, unless the clock needs one. */
uint32_t thimble_keep_quiet(void);
void thimble_stop_keeping_quiet(uint32_t state);

/* A board's own code, called before main() where it is linked: sets clocks, wait states, caches,
 * and whatever thimble_print() needs where that is replaced, too. */
void thimble_board_start(void);

/* For start.c. */
void thimble_start_clock(void);
void thimble_report_regions(void);

#endif
