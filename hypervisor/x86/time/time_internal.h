/* Between the files of x86/time. */
#ifndef TIME_INTERNAL_H
#define TIME_INTERNAL_H

#include <hospes/percpu.h>
#include <arch/time.h>

/* System time is stime when this CPU's TSC is tsc, and goes on by scale. */
struct time_base {
    uint64_t tsc;
    s_time_t stime;
    struct time_scale scale;
    int64_t tsc_offset; /* this CPU's TSC minus CPU 0's */
};
struct sample {
    uint64_t tsc, count;
};

/* The TSC of this CPU at system time t. */
uint64_t stime_to_tsc(s_time_t t);
void wallclock_init(void);
void lapic_timer_calibrate(void);
void lapic_timer_init_cpu(void);

#endif
