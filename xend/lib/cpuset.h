/*
 * Sets of physical CPUs, as "0-3,^2,7" writes them and as the hypervisor's byte arrays hold them.
 */
#ifndef XEND_LIB_CPUSET_H
#define XEND_LIB_CPUSET_H

#include "xend/lib/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUSET_MAX   1024
#define CPUSET_BYTES (CPUSET_MAX / 8)

struct cpuset {
    uint8_t bits[CPUSET_BYTES]; /* CPU n is bit n % 8 of byte n / 8 */
};

/* "0-3,^2", "all" or "". Returns 0 or -EINVAL. An empty set is an error. */
int cpuset_parse(const char *text, struct cpuset *set, struct error *err);
bool cpuset_has(const struct cpuset *set, unsigned cpu);
void cpuset_add(struct cpuset *set, unsigned cpu);
/* "any cpu" if the first nr_cpus CPUs are all in it, else "0-1,3". The caller frees it. */
char *cpuset_format(const struct cpuset *set, unsigned nr_cpus);

#endif
