/* Between sched.c, affinity.c, runstate.c and the policies: not for others. */
#ifndef CORE_SCHED_PRIVATE_H
#define CORE_SCHED_PRIVATE_H

#include <hospes/domain.h>
#include <hospes/sched.h>

struct sched_cpu {
    spinlock_t lock;   /* RANK_SCHED_CPU: the run queue, and vcpus whose processor this is */
    struct vcpu *curr; /* chosen last; is switched to as soon as the lock is dropped */
    struct timer slice_timer;
};
DECLARE_PER_CPU(struct sched_cpu, sched_cpu);

/* The lock of the CPU whose run queue v is on. A vcpu's processor changes only under the locks of
 * both CPUs. */
spinlock_t *vcpu_sched_lock(const struct vcpu *v, unsigned long *flags);

/* The lock is held. Accounts the time in the old state. */
void runstate_change(struct vcpu *v, int state, s_time_t now);

/* If v waits for a new CPU and runs nowhere: finds one, and wakes it. No lock held. */
void vcpu_migrate_finish(struct vcpu *v);

/* The periodic timer of a vcpu that is being switched to, or whose timer fired. */
void vcpu_periodic_timer_work(struct vcpu *v);

#endif
