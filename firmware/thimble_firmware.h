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

/* Text goes to whoever runs the program. */
void thimble_print(const char *text);
void thimble_print_number(uint64_t number);

/* Files of the host, in the folder where the emulator or the debugger was started. Both return the
 * number of bytes that were transferred, or -1. */
int32_t thimble_read_file(const char *name, void *to, uint32_t most);
int32_t thimble_write_file(const char *name, const void *from, uint32_t bytes);

void thimble_exit(int status) __attribute__((noreturn));

/* Most bytes of stack that were in use since the start. */
uint32_t thimble_stack_used(void);

/* For start.c. */
void thimble_start_clock(void);
void thimble_report_regions(void);

#endif
