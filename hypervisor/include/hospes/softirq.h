/*
 * Work that a CPU does before it returns to a guest, or when idle, with interrupts on and no locks
 * held. Raising one for another CPU sends it an interrupt.
 */
#ifndef HOSPES_SOFTIRQ_H
#define HOSPES_SOFTIRQ_H

#include <hospes/percpu.h>

enum softirq {
    TIMER_SOFTIRQ,
    SCHEDULE_SOFTIRQ, /* last thing done: may switch to another vcpu and not return */
    RCU_SOFTIRQ,      /* deferred frees after every CPU has passed a quiet point */
    SCRUB_SOFTIRQ,
    KEYHANDLER_SOFTIRQ, /* console input */
    DOM_EXC_SOFTIRQ,    /* tells the toolstack that a domain died or shut down */
    TIME_CALIBRATE_SOFTIRQ,
    NR_SOFTIRQS,
};

DECLARE_PER_CPU(unsigned long, softirq_pending); /* bit per enum softirq; the exit path tests it */

void softirq_open(enum softirq nr, void (*handler)(void));
/* Runs what is pending on this CPU. */
void do_softirq(void);
/* The same without SCHEDULE_SOFTIRQ, for long work in the hypervisor that must not be switched. */
void process_pending_softirqs(void);
void raise_softirq(enum softirq nr);
void cpu_raise_softirq(unsigned int cpu, enum softirq nr);
void cpumask_raise_softirq(cpumask_t mask, enum softirq nr);
static inline bool softirq_is_pending(unsigned int cpu)
{
    return READ_ONCE(per_cpu(softirq_pending, cpu)) != 0;
}

/* Calls fn(data) on this CPU when every CPU has been seen outside all hypercalls and interrupts
 * that ran when this was called: what lockless readers (domain lookup) hold their objects by. */
struct rcu_head {
    struct rcu_head *next;
    void (*fn)(struct rcu_head *);
};
void rcu_init(void);
void call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *));

#endif
