/* From reset to main() and back, for every Cortex-M. */
#include "thimble_firmware.h"

#define CPACR (*(volatile uint32_t*)0xE000ED88)
#define VTOR (*(volatile uint32_t*)0xE000ED08)
#define SHCSR (*(volatile uint32_t*)0xE000ED24)
#define CFSR (*(volatile uint32_t*)0xE000ED28)

#define MPU_TYPE (*(volatile uint32_t*)0xE000ED90)
#define MPU_CTRL (*(volatile uint32_t*)0xE000ED94)
#define MPU_RBAR (*(volatile uint32_t*)0xE000ED9C)
#define MPU_RASR (*(volatile uint32_t*)0xE000EDA0)
#define PAINT 0xA5A5A5A5u
enum { kFaultStatus = 125 };

/* From the linker script. */
extern uint32_t thimble_vectors[];
extern uint32_t thimble_stack_bottom[], thimble_stack_top[];
extern uint32_t thimble_stack_guard[];
extern uint32_t thimble_data_start[], thimble_data_end[], thimble_data_image[];
extern uint32_t thimble_bss_start[], thimble_bss_end[];

int main(void);
void SysTick_Handler(void);
__attribute__((weak)) void thimble_board_start(void) {}

/* Painted up to the stack pointer; what is not paint any more was used. */
static inline void paint_stack(void) {
  uint32_t* here;
  __asm__ volatile("mov %0, sp" : "=r"(here));
  for (volatile uint32_t* at = thimble_stack_bottom; at < here; ++at) *at = PAINT;
}

uint32_t thimble_stack_used(void) {
  const uint32_t* at = thimble_stack_bottom;
  while (at < thimble_stack_top && *at == PAINT) ++at;
  return (uint32_t)(thimble_stack_top - at) * sizeof *at;
}

static void set_up_memory(void) {
  const uint32_t* from = thimble_data_image;
  for (volatile uint32_t* to = thimble_data_start; to < thimble_data_end; ++to) *to = *from++;
  for (volatile uint32_t* to = thimble_bss_start; to < thimble_bss_end; ++to) *to = 0;
}

/* Makes an overflow of the stack fault, and faults exceptions of their own, since an overflow
 * within a hard fault locks up. Armv8-M has a limit; Armv7-M may have an MPU, which forbids 16 MB
 * below. */
static void guard_stack(void) {
  SHCSR |= 7u << 16;
#if __ARM_ARCH >= 8
  __asm__ volatile("msr msplim, %0" ::"r"(thimble_stack_bottom));
#else
  if (MPU_TYPE == 0) return;
  MPU_RBAR = (uint32_t)thimble_stack_guard | 1u << 4; /* region 0 */
  MPU_RASR = 1u << 28 | 23u << 1 | 1;                 /* never executed, no access, 2^24 bytes */
  MPU_CTRL = 5;                                       /* all else as without */
  __asm__ volatile("dsb\n\tisb");
#endif
}

static void print_stack(uint32_t used) {
  thimble_print("\n{\"thimble\":\"stack\",\"bytes\":");
  thimble_print_number(used);
  thimble_print("}\n");
}

void Reset_Handler(void) {
  VTOR = (uint32_t)thimble_vectors; /* a boot loader's may stand there */
  CPACR |= 0xFu << 20;              /* FPU and Helium, where there are any */
  __asm__ volatile("dsb\n\tisb");
  guard_stack();
  paint_stack();
  set_up_memory();
  thimble_board_start();
#ifdef THIMBLE_PROFILE
  thimble_start_clock();
#endif
  const int status = main();
  print_stack(thimble_stack_used()); /* before printing uses some */
#ifdef THIMBLE_PROFILE
  thimble_report_regions();
#endif
  thimble_exit(status);
}

/* pc: of the instruction; wrong when cfsr says that the stack had no room for it. */
__attribute__((used)) static void report_fault(uint32_t pc, uint32_t exception) {
  thimble_print("\n{\"thimble\":\"fault\",\"exception\":");
  thimble_print_number(exception);
  thimble_print(",\"cfsr\":");
  thimble_print_number(CFSR);
  thimble_print(",\"pc\":");
  thimble_print_number(pc);
  thimble_print("}\n");
  thimble_exit(kFaultStatus);
}

/* The processor pushed r0-r3, r12, lr, pc and xpsr. The stack may be what is broken, so it starts
 * anew at the top. */
__attribute__((naked)) void Fault_Handler(void) {
  __asm__ volatile(
      "mov r3, sp\n\t"
      "ldr r2, =thimble_stack_bottom\n\t"
      "movs r0, #0\n\t"
      "cmp r3, r2\n\t"
      "it hs\n\t"
      "ldrhs r0, [r3, #24]\n\t"
      "mrs r1, ipsr\n\t"
      "ldr r2, =thimble_stack_top\n\t"
      "mov sp, r2\n\t"
      "b report_fault");
}

typedef void (*handler)(void);
__attribute__((section(".vectors"), used)) static const handler vectors[16] = {
    (handler)thimble_stack_top,
    Reset_Handler,
    Fault_Handler, /* NMI */
    Fault_Handler, /* hard */
    Fault_Handler, /* memory */
    Fault_Handler, /* bus */
    Fault_Handler, /* usage */
    Fault_Handler, /* secure */
    0,
    0,
    0,
    Fault_Handler, /* supervisor call */
    Fault_Handler, /* debug */
    0,
    Fault_Handler, /* pending call */
#ifdef THIMBLE_PROFILE
    SysTick_Handler,
#else
    Fault_Handler,
#endif
};
