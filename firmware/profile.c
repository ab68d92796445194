/* Marks. On a board they read the cycle counter DWT CYCCNT, where there is none SysTick. In QEMU
 * the plugin sees the stores to thimble_slots and leaves the functions marked UNCOUNTED out;
 * without the plugin SysTick counts instructions under -icount. So one binary serves all.
 *
 * Where the plugin counts there is a file "thimble-counted", and no clock is started: it would run
 * in the host's time, and its interrupts would use stack now and then.
 *
 * With THIMBLE_GUEST this is part of another's project, to which SysTick and its interrupt belong:
 * then there is the cycle counter or nothing. */
#include "thimble_firmware.h"

#define REGISTER(address) (*(volatile uint32_t*)(address))
#define DEMCR REGISTER(0xE000EDFC)
#define DWT_CTRL REGISTER(0xE0001000)
#define DWT_CYCCNT REGISTER(0xE0001004)
#define DWT_LAR REGISTER(0xE0001FB0)
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

static int has_cycle_counter;

#ifndef THIMBLE_GUEST
static volatile uint32_t turns; /* of SysTick */

UNCOUNTED void SysTick_Handler(void) { ++turns; }

/* SysTick counts down. */
static inline uint32_t systick_now(void) {
  uint32_t before, value;
  do { /* again when SysTick turned in between; behind the barrier its interrupt was taken */
    before = turns;
    value = SYSTICK_VAL;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
  } while (before != turns);
  return (before << kSysTickBits) + (-value & kSysTickMask);
}

static int is_counted_from_outside(void) {
  char nothing;
  return thimble_read_file("thimble-counted", &nothing, 0) == 0;
}

static void start_systick(void) {
  if (is_counted_from_outside()) return;
  SYSTICK_LOAD = kSysTickMask;
  SYSTICK_VAL = 0;
  SYSTICK_CTRL = 7; /* processor clock, interrupt, on */
}

static const char* other_clock(void) { return "systick"; }
#else
static inline uint32_t systick_now(void) { return 0; }
static void start_systick(void) {}
static const char* other_clock(void) { return "none"; }
#endif

/* Wraps after 2^32 ticks; differences are right below that. */
static inline uint32_t now(void) { return has_cycle_counter ? DWT_CYCCNT : systick_now(); }

UNCOUNTED void thimble_mark(uint32_t mark) {
  if (mark >= 2 * kRegions) return;
  const uint32_t ticks = now();
  ((volatile uint32_t*)thimble_slots)[mark] = ticks;
  if (mark % 2 == 0) return;
  regions[mark / 2].ticks += (uint32_t)(ticks - thimble_slots[mark - 1]);
  ++regions[mark / 2].entries;
}

/* Emulators leave CYCCNT at 0, and some cores have none: so it is probed. Some M7 keep it locked.
 */
static int cycle_counter_runs(void) {
  DEMCR |= 1u << 24;
  DWT_LAR = 0xC5ACCE55;
  DWT_CYCCNT = 0;
  DWT_CTRL |= 1;
  const uint32_t before = DWT_CYCCNT;
  for (volatile int i = 0; i < 10; ++i) continue;
  return DWT_CYCCNT != before;
}

void thimble_start_clock(void) {
  has_cycle_counter = cycle_counter_runs();
  if (!has_cycle_counter) start_systick();
  thimble_mark(2 * THIMBLE_REGIONS);
  thimble_mark(2 * THIMBLE_REGIONS + 1);
  __asm__ volatile(""); /* so that the last mark is called like the others, not jumped to */
}

const char* thimble_clock(void) { return has_cycle_counter ? "cycles" : other_clock(); }

uint64_t thimble_take_ticks(uint32_t region) {
  const uint64_t marking = regions[region].entries * regions[THIMBLE_REGIONS].ticks;
  const uint64_t ticks = regions[region].ticks;
  regions[region].ticks = regions[region].entries = 0;
  return ticks > marking ? ticks - marking : 0;
}

/* SysTick needs its interrupt to count turns. */
uint32_t thimble_keep_quiet(void) {
  uint32_t state;
  __asm__ volatile("mrs %0, primask" : "=r"(state));
  if (has_cycle_counter) __asm__ volatile("cpsid i" ::: "memory");
  return state;
}

void thimble_stop_keeping_quiet(uint32_t state) {
  __asm__ volatile("msr primask, %0" ::"r"(state) : "memory");
}

static void print_field(const char* name, uint64_t value) {
  thimble_print(",\"");
  thimble_print(name);
  thimble_print("\":");
  thimble_print_number(value);
}

void thimble_report_regions(void) {
  for (uint32_t region = 0; region < kRegions; ++region) {
    if (regions[region].entries == 0) continue;
    thimble_print("{\"thimble\":\"region\",\"clock\":\"");
    thimble_print(thimble_clock());
    thimble_print("\"");
    print_field("region", region);
    print_field("entries", regions[region].entries);
    print_field("ticks", regions[region].ticks);
    thimble_print("}\n");
  }
}
