/*
 * CPUs of domains: how many are up, where they run, their share.
 */
#ifndef XEND_SCHED_H
#define XEND_SCHED_H

#include "xend/domain.h"
#include "xend/lib/value.h"

/* After a build: affinity, weight and cap as the configuration has them. 0 or -errno */
int sched_apply(struct session *s, struct domain *d, struct error *err);

/* Let vcpu (-1: all) run on the CPUs of the list. Also remembered for the next start. */
int sched_pin(struct session *s, struct domain *d, int vcpu, const char *cpus, struct error *err);

/* Weight and cap; 0 or -1 leaves that one alone. */
int sched_set(struct session *s, struct domain *d, int weight, int cap, struct error *err);
/* {'weight': .., 'cap': ..} */
int sched_get(struct session *s, struct domain *d, struct value **out, struct error *err);

/* Ask the guest to have n virtual CPUs up. */
int sched_set_vcpus(struct session *s, struct domain *d, unsigned n, struct error *err);

/* ['domain', ['domid', ..], ['name', ..], ['vcpu_count', ..], ['vcpu', ['number', ..], ...], ...]
 */
int sched_vcpus(struct session *s, struct domain *d, struct value **out, struct error *err);

#endif
