/* One-shot timers. Each lives on one CPU, where its function runs from TIMER_SOFTIRQ with
 * interrupts on. */
#ifndef HOSPES_TIMER_H
#define HOSPES_TIMER_H

#include <hospes/time.h>

struct timer {
    s_time_t expires;
    void (*fn)(void *data);
    void *data;
    struct timer *child, *sibling, **link; /* of a pairing heap; link NULL: not armed */
    uint16_t cpu;
    uint16_t status; /* timer.c */
};

/* Once before any other call; `cpu` is where it will fire. */
void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu);
/* Arms it (again) for system time `expires`. A time in the past fires as soon as possible. */
void timer_set(struct timer *t, s_time_t expires);
/* Disarms. The function may still be running on another CPU when this returns. */
void timer_stop(struct timer *t);
/* Disarms for good, and waits until the function is not running. Not from the function itself. */
void timer_kill(struct timer *t);
void timer_migrate(struct timer *t, unsigned int cpu);
bool timer_is_active(const struct timer *t);
void timers_init_cpu(unsigned int cpu);

#endif
