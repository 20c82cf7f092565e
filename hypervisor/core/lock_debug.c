/*
 * The lock order, checked while running (debug builds). Each CPU remembers the locks it holds;
 * taking one is legal only when its rank is above that of the one taken last, or equal with a
 * higher address (spin_lock_pair). Read <hospes/lock_ranks.h> first.
 */
#include <hospes/lib.h>
#include <hospes/lock.h>
#include <hospes/percpu.h>

#ifdef CONFIG_DEBUG

#define MAX_HELD 16u

struct held_locks {
    unsigned int n;
    const spinlock_t *lock[MAX_HELD];
};
static DEFINE_PER_CPU(struct held_locks, held);

/* The ranks marked (i): also taken in interrupt context. */
#define IRQ_RANKS                                                                              \
    (BIT(RANK_EVTCHN_FIFO) | BIT(RANK_IRQ_DESC) | BIT(RANK_IOAPIC) | BIT(RANK_SCHED_GLOBAL) |  \
     BIT(RANK_SCHED_CPU) | BIT(RANK_TIMER) | BIT(RANK_RCU) | BIT(RANK_HEAP) | BIT(RANK_TIME) | \
     BIT(RANK_CONSOLE_RX) | BIT(RANK_CONSOLE) | BIT(RANK_SERIAL))

void lock_debug_before(const spinlock_t *l)
{
    const struct held_locks *h = &this_cpu(held);
    const spinlock_t *top;

    if (l->rank == 0) {
        bug(__FILE__, __LINE__, "lock was never initialised");
    }
    if (((IRQ_RANKS >> l->rank) & 1) && local_irq_is_enabled()) {
        bug(__FILE__, __LINE__, "lock of interrupt context taken with interrupts on");
    }
    if (h->n == 0) {
        return;
    }
    top = h->lock[h->n - 1];
    if (l->rank < top->rank || (l->rank == top->rank && (uintptr_t)l <= (uintptr_t)top)) {
        printk(LOG_ERR "Lock order: rank %u taken while holding rank %u\n", l->rank, top->rank);
        bug(__FILE__, __LINE__, "lock order");
    }
}

void lock_debug_taken(spinlock_t *l)
{
    struct held_locks *h = &this_cpu(held);

    BUG_ON(h->n >= MAX_HELD);
    h->lock[h->n++] = l;
    l->holder = (uint16_t)(smp_processor_id() + 1);
}

void lock_debug_released(spinlock_t *l)
{
    struct held_locks *h = &this_cpu(held);
    unsigned int i, j;

    BUG_ON(l->holder != smp_processor_id() + 1);
    l->holder = 0;
    for (i = h->n; i > 0 && h->lock[i - 1] != l; i--) {
    }
    BUG_ON(i == 0);
    for (j = i; j < h->n; j++) {
        h->lock[j - 1] = h->lock[j];
    }
    h->n--;
}

#else
typedef int lock_debug_is_off;
#endif
