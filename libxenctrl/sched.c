/*
 * sched.c: parameters of the credit and credit2 schedulers, of a domain and of a CPU pool.
 *
 * Read private.h first.
 */
#include "libxenctrl/private.h"

const char *xc_scheduler_name(enum xc_scheduler id)
{
    switch (id) {
    case XC_SCHED_CREDIT:
        return "credit";
    case XC_SCHED_CREDIT2:
        return "credit2";
    case XC_SCHED_ARINC653:
        return "arinc653";
    case XC_SCHED_RTDS:
        return "rtds";
    case XC_SCHED_NULL:
        return "null";
    default:
        return "unknown";
    }
}

int xc_sched_get_id(struct xc_handle *h, enum xc_scheduler *id)
{
    const struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_sched_id);
    int rc = xc_sysctl(h);

    if (rc < 0) {
        return xc_fail(h, rc, "The hypervisor doesn't tell its scheduler: %s.", xc_reason(rc));
    }
    *id = (enum xc_scheduler)s->u.sched_id.sched_id;
    return 0;
}

/* Only these two have shares. */
static int check_scheduler(struct xc_handle *h, enum xc_scheduler scheduler)
{
    if (scheduler != XC_SCHED_CREDIT && scheduler != XC_SCHED_CREDIT2) {
        return xc_fail(h, -EINVAL, "The %s scheduler has no weights and caps.",
                       xc_scheduler_name(scheduler));
    }
    return 0;
}

static int domain_op(struct xc_handle *h, uint32_t cmd, uint32_t domid, enum xc_scheduler scheduler,
                     struct xc_sched_domain *share)
{
    struct xen_domctl *d;
    int rc = check_scheduler(h, scheduler);

    if (rc < 0) {
        return rc;
    }
    d = xc_domctl_begin(h, XEN_DOMCTL_scheduler_op, domid);
    d->u.scheduler_op.sched_id = scheduler;
    d->u.scheduler_op.cmd = cmd;
    if (scheduler == XC_SCHED_CREDIT) {
        d->u.scheduler_op.u.credit.weight = share->weight;
        d->u.scheduler_op.u.credit.cap = share->cap;
    } else {
        d->u.scheduler_op.u.credit2.weight = share->weight;
        d->u.scheduler_op.u.credit2.cap = share->cap;
    }
    rc = xc_domctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The share of domain %u can't be %s: %s.", domid,
                       cmd == XEN_DOMCTL_SCHEDOP_putinfo ? "set" : "read",
                       rc == -EINVAL ? "its CPU pool has another scheduler, or a number is out of "
                                       "range"
                                     : xc_reason(rc));
    }
    if (scheduler == XC_SCHED_CREDIT) {
        share->weight = d->u.scheduler_op.u.credit.weight;
        share->cap = d->u.scheduler_op.u.credit.cap;
    } else {
        share->weight = d->u.scheduler_op.u.credit2.weight;
        share->cap = d->u.scheduler_op.u.credit2.cap;
    }
    return 0;
}

int xc_sched_domain_get(struct xc_handle *h, uint32_t domid, enum xc_scheduler scheduler,
                        struct xc_sched_domain *share)
{
    struct xc_sched_domain read = {0};
    int rc = domain_op(h, XEN_DOMCTL_SCHEDOP_getinfo, domid, scheduler, &read);

    if (rc == 0) {
        *share = read;
    }
    return rc;
}

int xc_sched_domain_set(struct xc_handle *h, uint32_t domid, enum xc_scheduler scheduler,
                        const struct xc_sched_domain *share)
{
    struct xc_sched_domain set = *share;

    if (set.weight == 0) {
        return xc_fail(h, -EINVAL, "Weight 0 would give domain %u no CPU time: weights begin at 1.",
                       domid);
    }
    return domain_op(h, XEN_DOMCTL_SCHEDOP_putinfo, domid, scheduler, &set);
}

static int params_op(struct xc_handle *h, uint32_t cmd, uint32_t cpupool,
                     enum xc_scheduler scheduler, struct xc_sched_params *params)
{
    struct xen_sysctl *s;
    int rc = check_scheduler(h, scheduler);

    if (rc < 0) {
        return rc;
    }
    s = xc_sysctl_begin(h, XEN_SYSCTL_scheduler_op);
    s->u.scheduler_op.cpupool_id = cpupool;
    s->u.scheduler_op.sched_id = scheduler;
    s->u.scheduler_op.cmd = cmd;
    if (scheduler == XC_SCHED_CREDIT) {
        s->u.scheduler_op.u.sched_credit.tslice_ms = params->tslice_ms;
        s->u.scheduler_op.u.sched_credit.ratelimit_us = params->ratelimit_us;
        s->u.scheduler_op.u.sched_credit.vcpu_migr_delay_us = params->migr_delay_us;
    } else {
        s->u.scheduler_op.u.sched_credit2.ratelimit_us = params->ratelimit_us;
    }
    rc = xc_sysctl(h);
    if (rc < 0) {
        return xc_fail(h, rc, "The parameters of CPU pool %u's scheduler can't be %s: %s.", cpupool,
                       cmd == XEN_SYSCTL_SCHEDOP_putinfo ? "set" : "read",
                       rc == -EINVAL ? "it has another scheduler, or a number is out of range"
                                     : xc_reason(rc));
    }
    if (scheduler == XC_SCHED_CREDIT) {
        params->tslice_ms = s->u.scheduler_op.u.sched_credit.tslice_ms;
        params->ratelimit_us = s->u.scheduler_op.u.sched_credit.ratelimit_us;
        params->migr_delay_us = s->u.scheduler_op.u.sched_credit.vcpu_migr_delay_us;
    } else {
        params->ratelimit_us = s->u.scheduler_op.u.sched_credit2.ratelimit_us;
    }
    return 0;
}

int xc_sched_params_get(struct xc_handle *h, uint32_t cpupool, enum xc_scheduler scheduler,
                        struct xc_sched_params *params)
{
    struct xc_sched_params read = {0};
    int rc = params_op(h, XEN_SYSCTL_SCHEDOP_getinfo, cpupool, scheduler, &read);

    if (rc == 0) {
        *params = read;
    }
    return rc;
}

int xc_sched_params_set(struct xc_handle *h, uint32_t cpupool, enum xc_scheduler scheduler,
                        const struct xc_sched_params *params)
{
    struct xc_sched_params set = *params;

    return params_op(h, XEN_SYSCTL_SCHEDOP_putinfo, cpupool, scheduler, &set);
}
