/*
 * A vcpu's place: its life in the scheduler, on which CPUs it may run (hard affinity) and should
 * (soft affinity), and moving it to another run queue. Read sched.c first.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include "sched_private.h"

static bool opt_dom0_pin;
bool_param(dom0_vcpus_pin, "dom0_vcpus_pin", opt_dom0_pin, "vcpu n of Domain 0 stays on CPU n");

static void poll_timer_fn(void *data)
{
    struct vcpu *v = data;

    if (test_and_clear_bit(v->vcpu_id, v->domain->evtchn.poll_mask)) {
        vcpu_unblock(v);
    }
}

static void singleshot_timer_fn(void *data)
{
    send_guest_vcpu_virq(data, VIRQ_TIMER);
}

static void periodic_timer_fn(void *data)
{
    vcpu_periodic_timer_work(data);
}

void vcpu_periodic_timer_work(struct vcpu *v)
{
    s_time_t now, period = READ_ONCE(v->periodic_period);

    if (period == 0) {
        return;
    }
    now = NOW();
    if (now >= v->periodic_last_event + period) {
        v->periodic_last_event = now;
        send_guest_vcpu_virq(v, VIRQ_TIMER);
    }
    timer_set(&v->periodic_timer, v->periodic_last_event + period);
}

void vcpu_set_periodic_timer(struct vcpu *v, s_time_t period)
{
    timer_stop(&v->periodic_timer);
    WRITE_ONCE(v->periodic_period, period);
    if (period != 0) {
        v->periodic_last_event = NOW();
        timer_set(&v->periodic_timer, v->periodic_last_event + period);
    }
}

/* Where a new vcpu starts: each one a CPU further than the one before. */
static unsigned int first_cpu(const struct vcpu *v)
{
    const struct vcpu *before;

    if (v->domain->is_idle) {
        return v->vcpu_id;
    }
    before = v->vcpu_id > 0 ? v->domain->vcpu[v->vcpu_id - 1] : NULL;
    if (before == NULL) {
        return cpumask_cycle(v->domain->domain_id % NR_CPUS, cpu_online_map);
    }
    return cpumask_cycle(before->sched.processor, cpu_online_map);
}

int sched_init_vcpu(struct vcpu *v)
{
    unsigned int cpu =
        v->domain->is_hardware && v->vcpu_id == 0 ? cpumask_first(cpu_online_map) : first_cpu(v);

    v->sched.processor = cpu;
    v->sched.hard_affinity = v->domain->is_idle || (v->domain->is_hardware && opt_dom0_pin)
                                 ? cpumask_of(cpu)
                                 : CPUMASK_ALL;
    v->sched.soft_affinity = CPUMASK_ALL;
    timer_init(&v->periodic_timer, periodic_timer_fn, v, cpu);
    timer_init(&v->singleshot_timer, singleshot_timer_fn, v, cpu);
    timer_init(&v->poll_timer, poll_timer_fn, v, cpu);
    v->runstate.state_entry_time = (uint64_t)NOW();
    if (v->domain->is_idle) {
        v->runstate.state = RUNSTATE_running;
        v->sched.is_running = true;
        return 0;
    }
    v->runstate.state = RUNSTATE_offline;
    set_bit(VPF_DOWN, &v->sched.pause_flags);
    return sched->init_vcpu(v);
}

void sched_destroy_vcpu(struct vcpu *v)
{
    timer_kill(&v->periodic_timer);
    timer_kill(&v->singleshot_timer);
    timer_kill(&v->poll_timer);
    if (!v->domain->is_idle) {
        sched->free_vcpu(v);
    }
}

/* Both locks held, v runs nowhere and is on no queue. */
static bool move_to(struct vcpu *v, unsigned int from, unsigned int to)
{
    if (v->sched.processor != from || v->sched.is_running ||
        !cpumask_test(to, v->sched.hard_affinity) ||
        !test_and_clear_bit(VPF_MIGRATING, &v->sched.pause_flags)) {
        return false;
    }
    v->sched.processor = to;
    return true;
}

void vcpu_migrate_finish(struct vcpu *v)
{
    unsigned int from, to;
    unsigned long flags;
    spinlock_t *l;
    bool moved;

    do {
        l = vcpu_sched_lock(v, &flags);
        if (v->sched.is_running || !(READ_ONCE(v->sched.pause_flags) & BIT(VPF_MIGRATING))) {
            spin_unlock_irqrestore(l, flags);
            return;
        }
        from = v->sched.processor;
        to = sched->pick_cpu(v);
        spin_unlock(l);
        spin_lock_pair(&per_cpu(sched_cpu, from).lock, &per_cpu(sched_cpu, to).lock);
        moved = move_to(v, from, to);
        spin_unlock_pair(&per_cpu(sched_cpu, from).lock, &per_cpu(sched_cpu, to).lock);
        local_irq_restore(flags);
    } while (!moved);
    timer_migrate(&v->periodic_timer, to);
    timer_migrate(&v->singleshot_timer, to);
    timer_migrate(&v->poll_timer, to);
    vcpu_wake(v);
}

/* Takes effect at once; a vcpu that is on a CPU it may not use any more is moved. */
static void set_hard_affinity(struct vcpu *v, cpumask_t mask)
{
    unsigned long flags;
    spinlock_t *l = vcpu_sched_lock(v, &flags);
    bool move;

    v->sched.hard_affinity = mask;
    move = !cpumask_test(v->sched.processor, cpumask_and(mask, cpu_online_map));
    if (move) {
        set_bit(VPF_MIGRATING, &v->sched.pause_flags);
    }
    spin_unlock_irqrestore(l, flags);
    if (move) {
        vcpu_sleep_nosync(v);
        vcpu_migrate_finish(v);
    }
}

int vcpu_set_hard_affinity(struct vcpu *v, cpumask_t mask)
{
    if (cpumask_empty(cpumask_and(mask, cpu_online_map))) {
        return -EINVAL;
    }
    if (v->affinity_broken) {
        return -EBUSY;
    }
    set_hard_affinity(v, mask);
    return 0;
}

int vcpu_set_soft_affinity(struct vcpu *v, cpumask_t mask)
{
    unsigned long flags;
    spinlock_t *l;

    if (cpumask_empty(cpumask_and(mask, cpu_online_map))) {
        return -EINVAL;
    }
    l = vcpu_sched_lock(v, &flags);
    v->sched.soft_affinity = mask;
    spin_unlock_irqrestore(l, flags);
    return 0;
}

int vcpu_pin_override(struct vcpu *v, int cpu)
{
    if (cpu < 0) {
        if (!v->affinity_broken) {
            return -EINVAL;
        }
        v->affinity_broken = false;
        set_hard_affinity(v, v->sched.hard_affinity_saved);
        return 0;
    }
    if ((unsigned int)cpu >= NR_CPUS || !cpumask_test((unsigned int)cpu, cpu_online_map)) {
        return -EINVAL;
    }
    if (v->affinity_broken) {
        return -EBUSY;
    }
    v->sched.hard_affinity_saved = v->sched.hard_affinity;
    v->affinity_broken = true;
    set_hard_affinity(v, cpumask_of((unsigned int)cpu));
    return 0;
}
