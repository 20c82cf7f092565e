/*
 * Deferred calls. Lockless readers hold what they found until they are next at a quiet point: the
 * start of do_softirq on the way to a guest, or idle. RCU_SOFTIRQ's handler runs nowhere else, so
 * that it runs on a CPU proves that the CPU holds nothing from before.
 *
 * Calls gather in `next`. When no round is on, they become `waiting`, every online CPU is sent the
 * softirq, and the last one to run it makes the calls.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/softirq.h>

struct call_list {
    struct rcu_head *first, **last;
};

static spinlock_t rcu_lock = SPINLOCK_INIT(RANK_RCU);
static struct call_list next = {NULL, &next.first};
static struct rcu_head *waiting;
static cpumask_t not_seen; /* CPUs that the round still waits for */

/* Lock held: starts a round if there is work and none is on. Returns whom to send the softirq. */
static cpumask_t start_round(void)
{
    if (waiting != NULL || next.first == NULL) {
        return CPUMASK_NONE;
    }
    waiting = next.first;
    next.first = NULL;
    next.last = &next.first;
    not_seen = cpu_online_map;
    return not_seen;
}

void call_rcu(struct rcu_head *head, void (*fn)(struct rcu_head *))
{
    unsigned long flags;
    cpumask_t send;

    head->fn = fn;
    head->next = NULL;
    spin_lock_irqsave(&rcu_lock, flags);
    *next.last = head;
    next.last = &head->next;
    send = start_round();
    spin_unlock_irqrestore(&rcu_lock, flags);
    cpumask_raise_softirq(send, RCU_SOFTIRQ);
}

static void rcu_quiet_point(void)
{
    struct rcu_head *done = NULL, *h;
    cpumask_t send = CPUMASK_NONE;
    unsigned long flags;

    spin_lock_irqsave(&rcu_lock, flags);
    if (waiting != NULL) {
        not_seen = cpumask_andnot(not_seen, cpumask_of(smp_processor_id()));
        not_seen = cpumask_and(not_seen, cpu_online_map);
        if (cpumask_empty(not_seen)) {
            done = waiting;
            waiting = NULL;
            send = start_round();
        }
    }
    spin_unlock_irqrestore(&rcu_lock, flags);
    cpumask_raise_softirq(send, RCU_SOFTIRQ);
    while ((h = done) != NULL) {
        done = h->next;
        h->fn(h);
    }
}

void rcu_init(void)
{
    softirq_open(RCU_SOFTIRQ, rcu_quiet_point);
}
