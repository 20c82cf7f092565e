/* The batch of hypercalls that a CPU is working on: shared between multicall.c and what continues
 * preempted hypercalls. */
#ifndef HOSPES_MULTICALL_H
#define HOSPES_MULTICALL_H

#include <hospes/percpu.h>

struct multicall_state {
    struct multicall_entry call; /* the entry being executed, copied in */
};
/* Valid while current->in_multicall; a vcpu does not change CPUs within a hypercall. */
DECLARE_PER_CPU(struct multicall_state, multicall);

#endif
