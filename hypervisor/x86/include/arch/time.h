/* Clocks and timers of the machine. x86/time/. */
#ifndef ARCH_TIME_H
#define ARCH_TIME_H

#include <hospes/time.h>

/* ns = ((ticks << shift) * mul_frac) >> 32, shift may be negative: the ABI's vcpu_time_info. */
struct time_scale {
    int shift;
    uint32_t mul_frac;
};
/* a * b / c, the product in 128 bits; the quotient must fit in 64. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t quotient, rest;

    __asm__("mulq %[b]; divq %[c]"
            : "=&a"(quotient), "=&d"(rest)
            : "0"(a), [b] "r"(b), [c] "r"(c)
            : "cc");
    return quotient;
}
/* For a clock of that many Hz. */
void set_time_scale(struct time_scale *scale, uint64_t hz);

void time_init(void);     /* picks the platform timer, calibrates the TSC and the APIC timer */
void time_start(void);    /* interrupts on: starts the timer and the calibration */
void time_init_cpu(void); /* another CPU, being brought up: takes over the boot CPU's time base */
/* By the CPU that brings another one up, while that one is in time_init_cpu. */
void time_sync_master(void);
void timer_interrupt(void);
void udelay(unsigned int us); /* busy; after time_init (before: by the PIT) */
uint64_t tsc_khz(void);
/* Domain 0 and the PIT: see platform_timer.c. */
bool platform_pit_access(unsigned int port, bool write, uint8_t *value);

#endif
