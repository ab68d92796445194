/* Runs single operators and prints what came out: checksums, and with THIMBLE_REPEATS above 0 how
 * long each run took. No files: a board may have none, so inputs are drawn here, by the generator
 * that thimble itself has (SplitMix64), and outputs are answered by a checksum. */
#include "run_operators.h"

#include "thimble_firmware.h"

#ifndef THIMBLE_REPEATS
#define THIMBLE_REPEATS 5
#endif
#ifndef THIMBLE_FLAGS
#error "define THIMBLE_FLAGS as the optimisation that this is compiled with, as in \"-O2\""
#endif

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
#define COMPILER \
  "gcc " TEXT_OF(__GNUC__) "." TEXT_OF(__GNUC_MINOR__) "." TEXT_OF(__GNUC_PATCHLEVEL__)

#define CPUID (*(volatile uint32_t*)0xE000ED00)

static uint64_t mixed(uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
  return bits ^ (bits >> 31);
}

static void draw(int8_t* to, uint32_t bytes, uint64_t key) {
  for (uint32_t i = 0; i < bytes; ++i)
    to[i] = (int8_t)(mixed(key + (i + 1) * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static uint64_t checksum(const int8_t* from, uint32_t bytes) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (uint32_t i = 0; i < bytes; ++i) hash = (hash ^ (uint8_t)from[i]) * UINT64_C(0x100000001b3);
  return mixed(hash);
}

static void print_field(const char* name, uint64_t value) {
  thimble_print(",\"");
  thimble_print(name);
  thimble_print("\":");
  thimble_print_number(value);
}

static void print_head(void) {
  thimble_print("\n{\"profile\":\"begin\",\"kernels\":\"");
  thimble_print(thimble_kernels);
  thimble_print("\",\"compiler\":\"" COMPILER "\",\"flags\":\"" THIMBLE_FLAGS "\",\"clock\":\"");
  thimble_print(thimble_clock());
  thimble_print("\"");
  print_field("part", CPUID >> 4 & 0xFFF);
  print_field("operators", thimble_operator_count);
  thimble_print("}\n");
}

static void run(const struct thimble_operator* operator) {
  draw(operator->input(), operator->input_bytes, operator->input_key);
  operator->run();
}

#if THIMBLE_REPEATS > 0
/* The first run warms caches up. Nothing is printed in between, which would cool them. */
static void print_ticks(const struct thimble_operator* operator) {
  uint64_t ticks[THIMBLE_REPEATS];
  run(operator);
  thimble_take_ticks(operator->region);
  for (uint32_t i = 0; i < THIMBLE_REPEATS; ++i) {
    const uint32_t state = thimble_keep_quiet();
    run(operator);
    thimble_stop_keeping_quiet(state);
    ticks[i] = thimble_take_ticks(operator->region);
  }
  for (uint32_t i = 0; i < THIMBLE_REPEATS; ++i) {
    thimble_print(i == 0 ? ",\"ticks\":[" : ",");
    thimble_print_number(ticks[i]);
  }
  thimble_print("]");
}
#else
static void print_ticks(const struct thimble_operator* operator) { run(operator); }
#endif

static void print_operator(const struct thimble_operator* operator) {
  thimble_print("{\"profile\":\"operator\",\"op\":\"");
  thimble_print(operator->name);
  thimble_print("\"");
  print_ticks(operator);
  print_field("checksum", checksum(operator->output(), operator->output_bytes));
  thimble_print("}\n");
}

static void run_operators(void) {
  print_head();
  for (uint32_t i = 0; i < thimble_operator_count; ++i) print_operator(&thimble_operators[i]);
  thimble_print("{\"profile\":\"end\"}\n");
}

#ifdef THIMBLE_GUEST
void thimble_profile(void) {
  thimble_start_clock();
  run_operators();
}
#else
int main(void) {
  run_operators();
  return 0;
}
#endif
