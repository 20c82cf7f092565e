/*
 * Time. System time (s_time_t) counts nanoseconds from the hypervisor's start, the same on all
 * CPUs, never backwards on one; guests see it through vcpu_time_info. Wall clock is UTC.
 */
#ifndef HOSPES_TIME_H
#define HOSPES_TIME_H

#include <hospes/types.h>

#define SECONDS(n)   ((s_time_t)(n)*1000000000ll)
#define MILLISECS(n) ((s_time_t)(n)*1000000ll)
#define MICROSECS(n) ((s_time_t)(n)*1000ll)
#define STIME_MAX    ((s_time_t)0x7fffffffffffffffll)

/* System time now; any context. Implemented by the architecture. */
s_time_t NOW(void);

/* Programs this CPU's one-shot timer to raise TIMER_SOFTIRQ at `deadline` (0: off); true when it
 * was set, false when the deadline has passed already. Implemented by the architecture; interrupts
 * off. */
bool arch_reprogram_timer(s_time_t deadline);

struct wallclock {
    uint64_t sec; /* UTC at system time 0 */
    uint32_t nsec;
};
/* What shared_info's wc_* are made from. */
struct wallclock wallclock_at_boot(void);
/* From XENPF_settime: UTC `sec`.`nsec` held at system time `at`. Updates every domain's
 * shared_info. */
void wallclock_set(uint64_t sec, uint32_t nsec, s_time_t at);
/* Fills the wc_* fields of a domain's shared info (version protocol). */
void update_domain_wallclock(struct domain *d);

#endif
