/*
 * The credit scheduler: proportional share, work-conserving.
 *
 * Every ACCOUNT period (30 ms) the machine's CPU time, as credits, is divided among the domains
 * that wanted to run, by weight; a cap limits what a domain gets. Running burns credits. A vcpu
 * with credits is UNDER its share, else OVER; one that wakes up UNDER is BOOSTed over those that
 * compute, until it has run for a tick: that is what gives I/O its latency. Run queues are sorted
 * by these priorities and round robin within. A CPU about to run something OVER, or nothing, looks
 * at the other queues for better.
 *
 * Locks: a queue and the priorities of its vcpus are under the CPU's lock; `credit` is atomic (the
 * accounting adds, the CPU subtracts); the list of domains is under credit_lock, which is taken
 * before CPU locks. Read <hospes/sched.h> and sched.c first; accounting is in credit_account.c.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <hospes/softirq.h>
#include "credit.h"

struct credit_global credit = {
    .lock = SPINLOCK_INIT(RANK_SCHED_GLOBAL),
    .domains = LIST_HEAD_INIT(credit.domains),
    .tslice = MILLISECS(30),
    .ratelimit = MICROSECS(1000),
};

static unsigned int opt_tslice_ms = 30, opt_ratelimit_us = 1000;
uint_param(sched_credit_tslice_ms, "sched_credit_tslice_ms", opt_tslice_ms, "time slice");
uint_param(sched_ratelimit_us, "sched_ratelimit_us", opt_ratelimit_us,
           "a vcpu runs at least that long");

struct credit_cpu {
    struct list_head queue;
    unsigned int nr_queued; /* also read without the lock, as a hint */
    struct timer tick;
};
static DEFINE_PER_CPU(struct credit_cpu, credit_cpu);
static cpumask_t idlers; /* CPUs that run their idle vcpu; atomic bits */

static struct credit_vcpu *cv_of(const struct vcpu *v)
{
    return (struct credit_vcpu *)v->sched.priv;
}

static bool is_queued(const struct credit_vcpu *cv)
{
    return !list_empty(&cv->link);
}

static int priority_of_credit(const struct credit_vcpu *cv)
{
    return __atomic_load_n(&cv->credit, __ATOMIC_RELAXED) >= 0 ? PRI_UNDER : PRI_OVER;
}

/* ---- run queues: the CPU's lock is held ---- */

/* Behind all of its priority. One that yields also lets one of a lower priority go first. */
static void enqueue(unsigned int cpu, struct credit_vcpu *cv)
{
    struct credit_cpu *cc = &per_cpu(credit_cpu, cpu);
    struct credit_vcpu *pos;
    bool passed = !cv->yielded;

    list_for_each_entry (pos, &cc->queue, link) {
        if (pos->pri > cv->pri && passed) {
            break;
        }
        if (pos->pri > cv->pri) {
            passed = true;
        }
    }
    cv->yielded = false;
    list_add_tail(&cv->link, &pos->link);
    cc->nr_queued++;
}

static void dequeue(unsigned int cpu, struct credit_vcpu *cv)
{
    list_del(&cv->link);
    per_cpu(credit_cpu, cpu).nr_queued--;
}

static struct credit_vcpu *queue_head(unsigned int cpu)
{
    struct credit_cpu *cc = &per_cpu(credit_cpu, cpu);

    return list_empty(&cc->queue) ? NULL : list_first_entry(&cc->queue, struct credit_vcpu, link);
}

static int running_priority(unsigned int cpu)
{
    const struct vcpu *v = per_cpu(sched_cpu, cpu).curr;

    return v->domain->is_idle ? PRI_IDLE : cv_of(v)->pri;
}

/* Subtracts what has been used since `from`; the rest of a division is kept for the next time. */
static void burn(struct credit_vcpu *cv, s_time_t now)
{
    s_time_t delta = now - cv->burned_at;
    int credits;

    if (delta <= 0) {
        return;
    }
    credits = (int)min(delta / NS_PER_CREDIT, (s_time_t)CREDITS_MAX_BURN);
    cv->burned_at += (s_time_t)credits * NS_PER_CREDIT;
    if (delta / NS_PER_CREDIT > CREDITS_MAX_BURN) {
        cv->burned_at = now;
    }
    __atomic_sub_fetch(&cv->credit, credits, __ATOMIC_RELAXED);
    WRITE_ONCE(cv->wanted, true);
}

/* An idle CPU where v may run shall come and take it from `cpu`. False: there is none. */
static bool call_idler(unsigned int cpu, const struct vcpu *v)
{
    cpumask_t idle = cpumask_and(v->sched.hard_affinity, cpumask_and(idlers, cpu_online_map));
    cpumask_t soft = cpumask_and(idle, v->sched.soft_affinity);
    unsigned int helper = cpumask_cycle(cpu, cpumask_empty(soft) ? idle : soft);

    if (helper == NR_CPUS || helper == cpu) {
        return false;
    }
    /* It is called once: the next one in need calls another. */
    clear_bit(helper, &idlers.bits);
    cpu_raise_softirq(helper, SCHEDULE_SOFTIRQ);
    return true;
}

/* Some CPU should look for work: v has been queued on `cpu`, whose lock is held. */
static void tickle(unsigned int cpu, const struct vcpu *v)
{
    if (running_priority(cpu) == PRI_IDLE) {
        cpu_raise_softirq(cpu, SCHEDULE_SOFTIRQ);
    } else if (!call_idler(cpu, v) && cv_of(v)->pri < running_priority(cpu)) {
        cpu_raise_softirq(cpu, SCHEDULE_SOFTIRQ);
    }
}

static void credit_wake(struct vcpu *v)
{
    struct credit_vcpu *cv = cv_of(v);
    unsigned int cpu = v->sched.processor;

    if (per_cpu(sched_cpu, cpu).curr == v || is_queued(cv)) {
        return;
    }
    WRITE_ONCE(cv->wanted, true);
    cv->pri = priority_of_credit(cv);
    if (cv->pri == PRI_UNDER && !test_bit(VPF_PARKED, &v->sched.pause_flags)) {
        cv->pri = PRI_BOOST;
    }
    enqueue(cpu, cv);
    tickle(cpu, v);
}

static void credit_sleep(struct vcpu *v)
{
    struct credit_vcpu *cv = cv_of(v);
    unsigned int cpu = v->sched.processor;

    if (v->domain->is_idle) {
        return;
    }
    if (per_cpu(sched_cpu, cpu).curr == v) {
        cpu_raise_softirq(cpu, SCHEDULE_SOFTIRQ);
    } else if (is_queued(cv)) {
        dequeue(cpu, cv);
    }
}

static void credit_yield(struct vcpu *v)
{
    cv_of(v)->yielded = true;
}

static unsigned int load_of(unsigned int cpu)
{
    return READ_ONCE(per_cpu(credit_cpu, cpu).nr_queued) +
           !cpumask_test(cpu, (cpumask_t){READ_ONCE(idlers.bits)});
}

/* Where it is, if that is as good as any; else the least loaded, soft affinity first. */
static unsigned int credit_pick_cpu(struct vcpu *v)
{
    cpumask_t hard = cpumask_and(v->sched.hard_affinity, cpu_online_map);
    cpumask_t soft = cpumask_and(hard, v->sched.soft_affinity);
    cpumask_t mask = cpumask_empty(soft) ? hard : soft;
    unsigned int best = v->sched.processor, cpu;

    if (cpumask_empty(mask)) {
        return best;
    }
    if (!cpumask_test(best, mask)) {
        best = cpumask_cycle(best, mask);
    }
    for_each_cpu_in(cpu, mask)
    {
        if (load_of(cpu) < load_of(best)) {
            best = cpu;
        }
    }
    return best;
}

/* ---- choosing ---- */

/* The other CPU's lock is held. The first vcpu with a better priority that may run here; *busy: but
 * for one that is just being switched away from. */
static struct credit_vcpu *steal_from(unsigned int other, unsigned int cpu, int pri, bool soft_only,
                                      bool *busy)
{
    struct credit_cpu *cc = &per_cpu(credit_cpu, other);
    struct credit_vcpu *cv;

    list_for_each_entry (cv, &cc->queue, link) {
        struct vcpu *v = cv->vcpu;
        cpumask_t allowed = v->sched.hard_affinity;

        if (cv->pri >= pri) {
            return NULL;
        }
        if (soft_only) {
            allowed = cpumask_and(allowed, v->sched.soft_affinity);
        }
        if (credit.migration_delay != 0 &&
            NOW() - v->sched.last_run_time < credit.migration_delay) {
            continue; /* its working set is still in the caches there */
        }
        if (cpumask_test(cpu, allowed) && READ_ONCE(v->sched.is_running)) {
            *busy = true;
        } else if (cpumask_test(cpu, allowed)) {
            dequeue(other, cv);
            v->sched.processor = cpu;
            return cv;
        }
    }
    return NULL;
}

/* This CPU's lock is held. *busy: a queue could not be looked at just now. */
static struct credit_vcpu *steal(unsigned int cpu, int pri, bool *busy)
{
    unsigned int other, step, n = cpumask_weight(cpu_online_map);
    struct credit_vcpu *cv = NULL;
    bool hard;

    for (hard = false;; hard = true) {
        other = cpu;
        for (step = 1; step < n && cv == NULL; step++) {
            other = cpumask_cycle(other, cpu_online_map);
            if (READ_ONCE(per_cpu(credit_cpu, other).nr_queued) == 0) {
                continue;
            }
            if (!spin_trylock(&per_cpu(sched_cpu, other).lock)) {
                *busy = true;
                continue;
            }
            cv = steal_from(other, cpu, pri, !hard, busy);
            spin_unlock(&per_cpu(sched_cpu, other).lock);
        }
        if (cv != NULL || hard) {
            return cv;
        }
    }
}

static void set_idle(unsigned int cpu, bool idle)
{
    if (cpumask_test(cpu, idlers) == idle) {
        return;
    }
    if (idle) {
        cpumask_set(cpu, &idlers);
    } else {
        cpumask_clear(cpu, &idlers);
    }
}

/* True: prev has run for less than the rate limit and goes on for the rest of it. */
static bool rate_limited(struct vcpu *prev, s_time_t now, struct task_slice *slice)
{
    s_time_t ran = now - (s_time_t)prev->runstate.state_entry_time;

    if (prev->domain->is_idle || !vcpu_runnable(prev) || cv_of(prev)->yielded ||
        credit.ratelimit == 0 || ran >= credit.ratelimit) {
        return false;
    }
    *slice = (struct task_slice){.next = prev, .time = max(credit.ratelimit - ran, MICROSECS(10))};
    return true;
}

/* The tick runs only while something else than idle does. */
static void arm_tick(unsigned int cpu, s_time_t now, bool idle)
{
    struct timer *tick = &per_cpu(credit_cpu, cpu).tick;

    if (idle) {
        timer_stop(tick);
    } else if (!timer_is_active(tick)) {
        timer_set(tick, now + credit.tslice / TICKS_PER_SLICE);
    }
}

static struct task_slice credit_do_schedule(s_time_t now, bool tasklet)
{
    unsigned int cpu = smp_processor_id();
    struct vcpu *prev = per_cpu(sched_cpu, cpu).curr;
    struct task_slice slice = {.next = idle_vcpu[cpu], .time = -1};
    struct credit_vcpu *cv, *stolen = NULL;
    bool busy = false;

    if (!prev->domain->is_idle) {
        cv = cv_of(prev);
        burn(cv, now);
        if (rate_limited(prev, now, &slice)) {
            return slice;
        }
        if (cv->pri != PRI_BOOST || priority_of_credit(cv) == PRI_OVER) {
            cv->pri = priority_of_credit(cv);
        }
        if (vcpu_runnable(prev)) {
            enqueue(cpu, cv);
        }
        cv->yielded = false;
    }
    cv = queue_head(cpu);
    if (cv == NULL || cv->pri > PRI_UNDER) {
        stolen = steal(cpu, cv ? cv->pri : PRI_IDLE, &busy);
    }
    if (stolen != NULL) {
        cv = stolen;
        slice.migrated = true;
    } else if (cv != NULL) {
        dequeue(cpu, cv);
    }
    if (cv != NULL) {
        slice.next = cv->vcpu;
        slice.time = credit.tslice;
        cv->burned_at = slice.next == prev ? cv->burned_at : now;
    } else if (busy) {
        slice.time = MICROSECS(100); /* ask again soon: there may be work */
    }
    set_idle(cpu, cv == NULL);
    arm_tick(cpu, now, cv == NULL);
    if (slice.next != prev && !prev->domain->is_idle && is_queued(cv_of(prev))) {
        (void)call_idler(cpu, prev); /* it has to wait here, perhaps not elsewhere */
    }
    return slice;
}

/* Credits have been given out since: the queue is sorted by the priorities that follow. */
static void resort(unsigned int cpu)
{
    struct credit_cpu *cc = &per_cpu(credit_cpu, cpu);
    struct credit_vcpu *cv, *next;
    struct list_head old;

    if (list_empty(&cc->queue)) {
        return;
    }
    list_add(&old, &cc->queue);
    list_del(&cc->queue);
    cc->nr_queued = 0;
    list_for_each_entry_safe (cv, next, &old, link) {
        list_init(&cv->link);
        if (cv->pri != PRI_BOOST || priority_of_credit(cv) == PRI_OVER) {
            cv->pri = priority_of_credit(cv);
        }
        enqueue(cpu, cv);
    }
}

static void tick_fn(void *data)
{
    unsigned int cpu = smp_processor_id();
    struct sched_cpu *sc = &per_cpu(sched_cpu, cpu);
    struct credit_vcpu *cv;

    spin_lock_irq(&sc->lock);
    if (!sc->curr->domain->is_idle) {
        cv = cv_of(sc->curr);
        burn(cv, NOW());
        cv->pri = priority_of_credit(cv); /* the end of a boost */
        resort(cpu);
        if (queue_head(cpu) != NULL && queue_head(cpu)->pri < cv->pri) {
            raise_softirq(SCHEDULE_SOFTIRQ);
        }
        timer_set(&per_cpu(credit_cpu, cpu).tick, NOW() + credit.tslice / TICKS_PER_SLICE);
    }
    spin_unlock_irq(&sc->lock);
}

/* ---- life ---- */

static int credit_init(void)
{
    if (opt_tslice_ms >= XEN_SYSCTL_CSCHED_TSLICE_MIN &&
        opt_tslice_ms <= XEN_SYSCTL_CSCHED_TSLICE_MAX) {
        credit.tslice = MILLISECS(opt_tslice_ms);
    }
    if (opt_ratelimit_us <= XEN_SYSCTL_SCHED_RATELIMIT_MAX) {
        credit.ratelimit = min(MICROSECS(opt_ratelimit_us), credit.tslice);
    }
    return 0;
}

static int credit_init_cpu(unsigned int cpu)
{
    struct credit_cpu *cc = &per_cpu(credit_cpu, cpu);

    list_init(&cc->queue);
    timer_init(&cc->tick, tick_fn, NULL, cpu);
    if (cpu == smp_processor_id()) {
        credit_start_accounting(cpu);
    }
    cpumask_set(cpu, &idlers);
    return 0;
}

static void credit_dump_cpu(unsigned int cpu)
{
    struct sched_cpu *sc = &per_cpu(sched_cpu, cpu);
    struct credit_cpu *cc = &per_cpu(credit_cpu, cpu);
    struct credit_vcpu *cv;
    unsigned long flags;

    spin_lock_irqsave(&sc->lock, flags);
    printk("CPU%u: runs %pv, %u waiting\n", cpu, sc->curr, cc->nr_queued);
    list_for_each_entry (cv, &cc->queue, link) {
        printk("  %pv priority %d credit %d\n", cv->vcpu, cv->pri, cv->credit);
    }
    spin_unlock_irqrestore(&sc->lock, flags);
}

const struct scheduler sched_credit = {
    .name = "SMP Credit Scheduler",
    .opt_name = "credit",
    .sched_id = XEN_SCHEDULER_CREDIT,
    .init = credit_init,
    .init_cpu = credit_init_cpu,
    .init_domain = credit_init_domain,
    .free_domain = credit_free_domain,
    .init_vcpu = credit_init_vcpu,
    .free_vcpu = credit_free_vcpu,
    .wake = credit_wake,
    .sleep = credit_sleep,
    .yield = credit_yield,
    .pick_cpu = credit_pick_cpu,
    .do_schedule = credit_do_schedule,
    .adjust = credit_adjust,
    .adjust_global = credit_adjust_global,
    .dump_cpu = credit_dump_cpu,
};
