/*
 * The credit scheduler's accounting: each time slice the credits that the machine's CPUs make are
 * divided among the domains that wanted to run; and the parameters. Read sched_credit.c first.
 *
 * A domain can use at most one CPU per vcpu that wants to run, and no more than its cap: what it
 * cannot use is divided among the others.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include "credit.h"

static struct credit_vcpu *cv_of(const struct vcpu *v)
{
    return (struct credit_vcpu *)v->sched.priv;
}

static struct credit_domain *cd_of(const struct domain *d)
{
    return (struct credit_domain *)d->sched.priv;
}

static int64_t credits_per_slice(void)
{
    return credit.tslice / NS_PER_CREDIT;
}

/* A share while it is being worked out. */
struct share {
    unsigned int active; /* vcpus that want to run */
    int64_t weight, peak;
};

static struct share share_of(const struct credit_domain *cd)
{
    struct share s = {0, 0, 0};
    struct vcpu *v;

    for_each_vcpu (cd->domain, v) {
        s.active += cv_of(v) != NULL && READ_ONCE(cv_of(v)->wanted);
    }
    s.weight = (int64_t)cd->weight * s.active;
    s.peak = credits_per_slice() * s.active;
    if (cd->cap != 0) {
        s.peak = min(s.peak, (credits_per_slice() * cd->cap + 99) / 100);
    }
    return s;
}

/* Over its cap a vcpu is parked until it has credits again. */
static void park_or_unpark(struct vcpu *v, bool capped, int have)
{
    bool parked = test_bit(VPF_PARKED, &v->sched.pause_flags);

    if (capped && !parked && have < 0) {
        set_bit(VPF_PARKED, &v->sched.pause_flags);
        vcpu_sleep_nosync(v);
    } else if (parked && (!capped || have >= 0)) {
        clear_bit(VPF_PARKED, &v->sched.pause_flags);
        vcpu_wake(v);
    }
}

/* Keeps a vcpu's balance within one slice, so that no old debt or fortune decides. */
static void clamp_credit(struct credit_vcpu *cv, int64_t fair)
{
    int now = __atomic_load_n(&cv->credit, __ATOMIC_RELAXED);
    int limit = (int)credits_per_slice(), want;

    do {
        want = now;
        if (now > limit) {
            want = (int)min(fair, (int64_t)limit);
        } else if (now < -limit) {
            want = -limit;
        }
    } while (want != now && !__atomic_compare_exchange_n(&cv->credit, &now, want, false,
                                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

static void pay(struct credit_domain *cd, int64_t fair)
{
    struct credit_vcpu *cv;
    struct vcpu *v;
    bool still;

    for_each_vcpu (cd->domain, v) {
        cv = cv_of(v);
        if (cv == NULL || !READ_ONCE(cv->wanted)) {
            continue;
        }
        __atomic_add_fetch(&cv->credit, (int)fair, __ATOMIC_RELAXED);
        clamp_credit(cv, fair);
        park_or_unpark(v, cd->cap != 0, READ_ONCE(cv->credit));
        still = vcpu_runnable(v) || test_bit(VPF_PARKED, &v->sched.pause_flags);
        WRITE_ONCE(cv->wanted, still);
    }
}

/* What one unit of weight is worth when those at their peak get no more than that: the largest
 * value is found by leaving out, in at most one round per domain, those that reach their peak. */
static int64_t fair_share(const struct share *s, int64_t total, int64_t weights)
{
    int64_t fair = weights > 0 ? DIV_ROUND_UP(total * s->weight, weights) : s->peak;

    return min(fair, s->peak);
}

static void totals(int64_t *total, int64_t *weights)
{
    int64_t all = credits_per_slice() * cpumask_weight(cpu_online_map), t, w;
    struct credit_domain *cd;
    unsigned int round;

    *total = all;
    *weights = 0;
    list_for_each_entry (cd, &credit.domains, link) {
        *weights += share_of(cd).weight;
    }
    /* Three rounds are near enough to the limit. */
    for (round = 0; round < 3; round++) {
        t = all;
        w = 0;
        list_for_each_entry (cd, &credit.domains, link) {
            struct share s = share_of(cd);

            if (*weights > 0 && *total * s.weight >= s.peak * *weights) {
                t -= s.peak;
            } else {
                w += s.weight;
            }
        }
        *total = max(t, (int64_t)0);
        *weights = w;
    }
}

static void account(void *unused)
{
    struct credit_domain *cd;
    int64_t total, weights;
    struct share s;

    spin_lock_irq(&credit.lock);
    totals(&total, &weights);
    list_for_each_entry (cd, &credit.domains, link) {
        s = share_of(cd);
        if (s.active != 0) {
            pay(cd, fair_share(&s, total, weights) / s.active);
        }
    }
    spin_unlock_irq(&credit.lock);
    timer_set(&credit.account_timer, NOW() + credit.tslice);
}

void credit_start_accounting(unsigned int cpu)
{
    timer_init(&credit.account_timer, account, NULL, cpu);
    timer_set(&credit.account_timer, NOW() + credit.tslice);
}

/* ---- life ---- */

int credit_init_domain(struct domain *d)
{
    struct credit_domain *cd = xzalloc(struct credit_domain);

    if (cd == NULL) {
        return -ENOMEM;
    }
    cd->domain = d;
    cd->weight = DEFAULT_WEIGHT;
    d->sched.priv = (struct sched_dom_priv *)cd;
    spin_lock_irq(&credit.lock);
    list_add_tail(&cd->link, &credit.domains);
    spin_unlock_irq(&credit.lock);
    return 0;
}

void credit_free_domain(struct domain *d)
{
    struct credit_domain *cd = cd_of(d);

    if (cd == NULL) {
        return;
    }
    spin_lock_irq(&credit.lock);
    list_del(&cd->link);
    spin_unlock_irq(&credit.lock);
    d->sched.priv = NULL;
    xfree(cd);
}

int credit_init_vcpu(struct vcpu *v)
{
    struct credit_vcpu *cv = xzalloc(struct credit_vcpu);

    if (cv == NULL) {
        return -ENOMEM;
    }
    cv->vcpu = v;
    cv->pri = PRI_UNDER;
    list_init(&cv->link);
    v->sched.priv = (struct sched_unit_priv *)cv;
    return 0;
}

/* The accounting must not be looking at it: it only sees vcpus of listed domains. */
void credit_free_vcpu(struct vcpu *v)
{
    struct credit_vcpu *cv = cv_of(v);

    spin_lock_irq(&credit.lock);
    v->sched.priv = NULL;
    spin_unlock_irq(&credit.lock);
    if (cv != NULL) {
        BUG_ON(!list_empty(&cv->link));
        xfree(cv);
    }
}

/* ---- parameters ---- */

int credit_adjust(struct domain *d, struct xen_domctl_scheduler_op *op)
{
    struct credit_domain *cd = cd_of(d);

    if (cd == NULL) {
        return -EINVAL;
    }
    switch (op->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        op->u.credit.weight = cd->weight;
        op->u.credit.cap = cd->cap;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        spin_lock_irq(&credit.lock);
        if (op->u.credit.weight != 0) {
            cd->weight = op->u.credit.weight;
        }
        if (op->u.credit.cap != (uint16_t)~0u) {
            cd->cap = op->u.credit.cap;
        }
        spin_unlock_irq(&credit.lock);
        return 0;
    default:
        return -EINVAL;
    }
}

int credit_adjust_global(struct xen_sysctl_scheduler_op *op)
{
    struct xen_sysctl_credit_schedule *p = &op->u.sched_credit;

    if (op->cmd != XEN_SYSCTL_SCHEDOP_putinfo && op->cmd != XEN_SYSCTL_SCHEDOP_getinfo) {
        return -EINVAL;
    }
    if (op->cmd == XEN_SYSCTL_SCHEDOP_putinfo) {
        if (p->tslice_ms > XEN_SYSCTL_CSCHED_TSLICE_MAX ||
            p->tslice_ms < XEN_SYSCTL_CSCHED_TSLICE_MIN ||
            (p->ratelimit_us != 0 && (p->ratelimit_us > XEN_SYSCTL_SCHED_RATELIMIT_MAX ||
                                      p->ratelimit_us < XEN_SYSCTL_SCHED_RATELIMIT_MIN)) ||
            MICROSECS(p->ratelimit_us) > MILLISECS(p->tslice_ms) ||
            p->vcpu_migr_delay_us > XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US) {
            return -EINVAL;
        }
        spin_lock_irq(&credit.lock);
        credit.tslice = MILLISECS(p->tslice_ms);
        credit.ratelimit = MICROSECS(p->ratelimit_us);
        credit.migration_delay = MICROSECS(p->vcpu_migr_delay_us);
        spin_unlock_irq(&credit.lock);
    }
    p->tslice_ms = (uint32_t)(credit.tslice / MILLISECS(1));
    p->ratelimit_us = (uint32_t)(credit.ratelimit / MICROSECS(1));
    p->vcpu_migr_delay_us = (uint32_t)(credit.migration_delay / MICROSECS(1));
    return 0;
}
