/* Clocks and timers of the machine. x86/time/. */
#ifndef ARCH_TIME_H
#define ARCH_TIME_H

#include <hospes/time.h>

/* ns = ((ticks << shift) * mul_frac) >> 32, shift may be negative: the ABI's vcpu_time_info. */
struct time_scale {
    int shift;
    uint32_t mul_frac;
};
uint64_t scale_delta(uint64_t delta, const struct time_scale *scale);
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

#endif
