/* The clock that everything else is measured against. */
#ifndef TIME_PLATFORM_TIMER_H
#define TIME_PLATFORM_TIMER_H

#include <hospes/types.h>

struct platform_timer {
    const char *name;
    uint64_t hz;
    unsigned int bits; /* of the counter, which counts up and wraps */
    uint64_t (*read)(void);
};
extern struct platform_timer platform_timer;
void platform_timer_init(struct platform_timer *t);
void platform_timer_init_pit(struct platform_timer *t);

#endif
