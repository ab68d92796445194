/* Marks. On a board they read the cycle counter DWT CYCCNT, where there is none SysTick. In QEMU
 * the plugin sees the stores to thimble_slots and leaves the functions marked UNCOUNTED out;
 * without the plugin SysTick counts instructions under -icount. So one binary serves all.
 *
 * Where the plugin counts there is a file "thimble-counted", and no clock is started: it would run
 * in the host's time, and its interrupts would use stack now and then. */
#include "thimble_firmware.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define DEMCR REGISTER(0xE000EDFC)
#define DWT_CTRL REGISTER(0xE0001000)
#define DWT_CYCCNT REGISTER(0xE0001004)
#define SYSTICK_CTRL REGISTER(0xE000E010)
#define SYSTICK_LOAD REGISTER(0xE000E014)
#define SYSTICK_VAL REGISTER(0xE000E018)

#define UNCOUNTED __attribute__((noinline, noclone, section(".text.uncounted")))

enum { kSysTickBits = 24, kSysTickMask = 0xFFFFFF };

/* The last region is empty: what marking costs. */
enum { kRegions = THIMBLE_REGIONS + 1 };

/* Where the marks store: the emulator's plugin finds this array by its name. */
uint32_t thimble_slots[2 * kRegions];

static struct {
  uint64_t ticks;
  uint32_t entries;
} regions[kRegions];

static volatile uint32_t turns; /* of SysTick */
static int has_cycle_counter;

UNCOUNTED void SysTick_Handler(void) { ++turns; }

/* Wraps after 2^32 ticks; differences are right below that. SysTick counts down. */
static inline uint32_t now(void) {
  if (has_cycle_counter) return DWT_CYCCNT;
  uint32_t before, value;
  do { /* again when SysTick turned in between; behind the barrier its interrupt was taken */
    before = turns;
    value = SYSTICK_VAL;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
  } while (before != turns);
  return (before << kSysTickBits) + (-value & kSysTickMask);
}

UNCOUNTED void thimble_mark(uint32_t mark) {
  if (mark >= 2 * kRegions) return;
  const uint32_t ticks = now();
  ((volatile uint32_t *)thimble_slots)[mark] = ticks;
  if (mark % 2 == 0) return;
  regions[mark / 2].ticks += (uint32_t)(ticks - thimble_slots[mark - 1]);
  ++regions[mark / 2].entries;
}

/* Emulators leave CYCCNT at 0, and some cores have none: so it is probed. */
static int cycle_counter_runs(void) {
  DEMCR |= 1u << 24;
  DWT_CYCCNT = 0;
  DWT_CTRL |= 1;
  const uint32_t before = DWT_CYCCNT;
  for (volatile int i = 0; i < 10; ++i) continue;
  return DWT_CYCCNT != before;
}

static void start_systick(void) {
  SYSTICK_LOAD = kSysTickMask;
  SYSTICK_VAL = 0;
  SYSTICK_CTRL = 7; /* processor clock, interrupt, on */
}

static int is_counted_from_outside(void) {
  char nothing;
  return thimble_read_file("thimble-counted", &nothing, 0) == 0;
}

void thimble_start_clock(void) {
  has_cycle_counter = cycle_counter_runs();
  if (!has_cycle_counter && !is_counted_from_outside()) start_systick();
  thimble_mark(2 * THIMBLE_REGIONS);
  thimble_mark(2 * THIMBLE_REGIONS + 1);
  __asm__ volatile(""); /* so that the last mark is called like the others, not jumped to */
}

static void print_field(const char *name, uint64_t value) {
  thimble_print(",\"");
  thimble_print(name);
  thimble_print("\":");
  thimble_print_number(value);
}

void thimble_report_regions(void) {
  for (uint32_t region = 0; region < kRegions; ++region) {
    if (regions[region].entries == 0) continue;
    thimble_print("{\"thimble\":\"region\",\"clock\":");
    thimble_print(has_cycle_counter ? "\"cycles\"" : "\"systick\"");
    print_field("region", region);
    print_field("entries", regions[region].entries);
    print_field("ticks", regions[region].ticks);
    thimble_print("}\n");
  }
}
