/*
 * Scheduling, apart from the policy: which vcpus are runnable, sleeping and waking, the switch.
 *
 * Each CPU has a run queue with a lock (struct sched_cpu). A vcpu belongs to the queue of its
 * `processor`; all its scheduling state is under that lock, but for pause_flags and pause counts,
 * which are atomic: set the reason first, then take the vcpu off the queue, and the other way
 * round. `is_running` is true from when a CPU decides for the vcpu until its state is saved. Read
 * <hospes/sched.h> first; affinity.c and runstate.c are the rest.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/softirq.h>
#include <hospes/trace.h>
#include "sched_private.h"

DEFINE_PER_CPU(struct sched_cpu, sched_cpu);
DEFINE_PER_CPU(struct vcpu *, curr_vcpu);
struct vcpu *idle_vcpu[NR_CPUS];
const struct scheduler *sched = &sched_credit;
const struct scheduler *const sched_policies[] = {&sched_credit, NULL};

spinlock_t *vcpu_sched_lock(const struct vcpu *v, unsigned long *flags)
{
    unsigned int cpu;
    spinlock_t *l;

    for (;;) {
        cpu = READ_ONCE(v->sched.processor);
        l = &per_cpu(sched_cpu, cpu).lock;
        spin_lock_irqsave(l, *flags);
        if (likely(cpu == READ_ONCE(v->sched.processor))) {
            return l;
        }
        spin_unlock_irqrestore(l, *flags);
    }
}

bool vcpu_runnable(const struct vcpu *v)
{
    return (READ_ONCE(v->sched.pause_flags) | READ_ONCE(v->sched.pause_count) |
            READ_ONCE(v->domain->pause_count)) == 0;
}

void vcpu_wake(struct vcpu *v)
{
    unsigned long flags;
    spinlock_t *l = vcpu_sched_lock(v, &flags);

    if (likely(vcpu_runnable(v))) {
        if (v->runstate.state >= RUNSTATE_blocked) {
            runstate_change(v, RUNSTATE_runnable, NOW());
        }
        if (!v->domain->is_idle) {
            sched->wake(v);
        }
    } else if (!(READ_ONCE(v->sched.pause_flags) & BIT(VPF_BLOCKED)) &&
               v->runstate.state == RUNSTATE_blocked) {
        runstate_change(v, RUNSTATE_offline, NOW());
    }
    spin_unlock_irqrestore(l, flags);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
    unsigned long flags;
    spinlock_t *l = vcpu_sched_lock(v, &flags);

    if (likely(!vcpu_runnable(v))) {
        if (v->runstate.state == RUNSTATE_runnable) {
            runstate_change(v, RUNSTATE_offline, NOW());
        }
        sched->sleep(v);
    }
    spin_unlock_irqrestore(l, flags);
}

void vcpu_sleep_sync(struct vcpu *v)
{
    vcpu_sleep_nosync(v);
    while (!vcpu_runnable(v) && READ_ONCE(v->sched.is_running)) {
        cpu_relax();
    }
    smp_rmb();
    arch_sync_vcpu_state(v);
}

void vcpu_pause_nosync(struct vcpu *v)
{
    __atomic_add_fetch(&v->sched.pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep_nosync(v);
}

void vcpu_pause(struct vcpu *v)
{
    ASSERT(v != current);
    __atomic_add_fetch(&v->sched.pause_count, 1, __ATOMIC_SEQ_CST);
    vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    if (__atomic_sub_fetch(&v->sched.pause_count, 1, __ATOMIC_SEQ_CST) == 0) {
        vcpu_wake(v);
    }
}

void vcpu_block(void)
{
    struct vcpu *v = current;

    set_bit(VPF_BLOCKED, &v->sched.pause_flags);
    /* An event that came before the bit was set must not be slept over. */
    if (vcpu_event_delivery_pending(v)) {
        clear_bit(VPF_BLOCKED, &v->sched.pause_flags);
    } else {
        raise_softirq(SCHEDULE_SOFTIRQ);
    }
}

void vcpu_yield(void)
{
    struct vcpu *v = current;
    unsigned long flags;
    spinlock_t *l = vcpu_sched_lock(v, &flags);

    sched->yield(v);
    spin_unlock_irqrestore(l, flags);
    raise_softirq(SCHEDULE_SOFTIRQ);
}

void vcpu_unblock(struct vcpu *v)
{
    if (!test_and_clear_bit(VPF_BLOCKED, &v->sched.pause_flags)) {
        return;
    }
    /* The end of SCHEDOP_poll, whatever ended it. */
    if (unlikely(READ_ONCE(v->sched.poll_evtchn) != 0)) {
        WRITE_ONCE(v->sched.poll_evtchn, 0u);
        smp_mb();
        clear_bit(v->vcpu_id, v->domain->evtchn.poll_mask);
    }
    vcpu_wake(v);
}

void vcpu_kick(struct vcpu *v)
{
    bool running = READ_ONCE(v->sched.is_running);

    vcpu_unblock(v);
    if (running && v != current) {
        arch_vcpu_kick_running(v);
    }
}

/* Where a vcpu that leaves its CPU stands now. */
static int state_when_descheduled(const struct vcpu *v)
{
    if (READ_ONCE(v->sched.pause_flags) & BIT(VPF_BLOCKED)) {
        return RUNSTATE_blocked;
    }
    return vcpu_runnable(v) ? RUNSTATE_runnable : RUNSTATE_offline;
}

/* Its timers follow a vcpu to its new CPU. */
static void vcpu_move_timers(struct vcpu *v)
{
    timer_migrate(&v->periodic_timer, v->sched.processor);
    timer_migrate(&v->singleshot_timer, v->sched.processor);
    timer_migrate(&v->poll_timer, v->sched.processor);
}

void schedule(void)
{
    struct sched_cpu *sc = &this_cpu(sched_cpu);
    struct vcpu *prev = current, *next;
    struct task_slice slice;
    s_time_t now;

    spin_lock_irq(&sc->lock);
    now = NOW();
    slice = sched->do_schedule(now, false);
    next = slice.next;
    sc->curr = next;
    if (slice.time >= 0) {
        timer_set(&sc->slice_timer, now + slice.time);
    } else {
        timer_stop(&sc->slice_timer);
    }
    if (prev == next) {
        spin_unlock_irq(&sc->lock);
        return;
    }
    runstate_change(prev, state_when_descheduled(prev), now);
    prev->sched.last_run_time = now;
    runstate_change(next, RUNSTATE_running, now);
    next->sched.is_running = true;
    spin_unlock_irq(&sc->lock);

    if (prev->periodic_period != 0) {
        timer_stop(&prev->periodic_timer);
    }
    if (slice.migrated) {
        vcpu_move_timers(next);
    }
    vcpu_periodic_timer_work(next);
    TRACE(TRC_SCHED_SWITCH, prev->domain->domain_id, prev->vcpu_id, next->domain->domain_id,
          next->vcpu_id);
    local_irq_disable();
    arch_context_switch(prev, next);
}

void context_saved(struct vcpu *prev)
{
    smp_wmb();
    WRITE_ONCE(prev->sched.is_running, false);
    smp_mb();
    if (prev->domain->is_idle) {
        return;
    }
    if (sched->context_saved != NULL) {
        sched->context_saved(prev);
    }
    if (unlikely(READ_ONCE(prev->sched.pause_flags) & BIT(VPF_MIGRATING))) {
        vcpu_migrate_finish(prev);
    }
}

static void slice_over(void *unused)
{
    raise_softirq(SCHEDULE_SOFTIRQ);
}

static void dump_run_queues(char key)
{
    unsigned int cpu;

    printk("Scheduler: %s (%s)\n", sched->name, sched->opt_name);
    for_each_online_cpu (cpu) {
        sched->dump_cpu(cpu);
    }
}

void scheduler_init(const char *name)
{
    unsigned int i;

    for (i = 0; sched_policies[i] != NULL && name[0] != '\0'; i++) {
        if (strcmp(sched_policies[i]->opt_name, name) == 0) {
            sched = sched_policies[i];
            break;
        }
    }
    if (name[0] != '\0' && strcmp(sched->opt_name, name) != 0) {
        printk(LOG_WARNING "There is no scheduler \"%s\": using %s\n", name, sched->opt_name);
    }
    softirq_open(SCHEDULE_SOFTIRQ, schedule);
    rcu_init();
    keyhandler_register('r', dump_run_queues, "run queues");
    if (sched->init != NULL && sched->init() != 0) {
        panic("The scheduler %s cannot start", sched->name);
    }
    printk("Scheduler: %s\n", sched->name);
}

int sched_init_cpu(unsigned int cpu)
{
    struct sched_cpu *sc = &per_cpu(sched_cpu, cpu);
    struct vcpu *v;
    int rc;

    spin_lock_init(&sc->lock, RANK_SCHED_CPU);
    timer_init(&sc->slice_timer, slice_over, NULL, cpu);
    rc = sched->init_cpu(cpu);
    if (rc != 0) {
        return rc;
    }
    v = idle_vcpu[cpu];
    if (v == NULL) {
        rc = vcpu_create(idle_domain, cpu, &v);
        if (rc != 0) {
            return rc;
        }
        idle_vcpu[cpu] = v;
    }
    sc->curr = v;
    return 0;
}

void run_idle_loop(void)
{
    for (;;) {
        if (!softirq_is_pending(smp_processor_id()) && !scrub_free_pages()) {
            arch_idle();
        }
        do_softirq();
    }
}

int sched_init_domain(struct domain *d)
{
    return d->is_xen ? 0 : sched->init_domain(d);
}

void sched_destroy_domain(struct domain *d)
{
    if (!d->is_xen) {
        sched->free_domain(d);
    }
}

int sched_adjust(struct domain *d, struct xen_domctl_scheduler_op *op)
{
    if (op->sched_id != sched->sched_id) {
        return -EINVAL;
    }
    return sched->adjust(d, op);
}

int sched_adjust_global(struct xen_sysctl_scheduler_op *op)
{
    if (op->sched_id != sched->sched_id || op->cpupool_id != 0) {
        return -EINVAL;
    }
    return sched->adjust_global(op);
}
