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
/* Something may hold this CPU up in the middle of a measurement (SMIs; under emulation, the host):
 * calls it until two results agree, nine times at most, and then takes the median. Hz. */
uint64_t measure_until_agreed(uint64_t (*once)(void), const char *what);
void wallclock_init(void);
void lapic_timer_calibrate(void);
void lapic_timer_init_cpu(void);

#endif
