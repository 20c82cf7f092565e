/* domctl: domains as a whole. */
#include "domctl.h"

/* ---- life ---- */

/* A free identifier behind the last one given, so that a stale one does not soon mean another
 * domain. */
static int pick_domid(domid_t *out)
{
    static domid_t last; /* under the domctl lock */

    for (domid_t id = last == DOMID_FIRST_RESERVED - 1 ? 1 : last + 1; id != last;
         id = id == DOMID_FIRST_RESERVED - 1 ? 1 : id + 1) {
        if (!domain_by_id(id)) {
            *out = last = id;
            return 0;
        }
    }
    return -ENOMEM;
}

int domctl_create(struct domctl_call *c)
{
    domid_t id = c->op->domain;
    struct domain *d;
    int rc = 0;

    if (id > 0 && id < DOMID_FIRST_RESERVED) {
        rc = domain_by_id(id) ? -EEXIST : 0;
    } else {
        rc = pick_domid(&id);
    }
    if (!rc) {
        rc = domain_create(id, &c->op->u.createdomain, false, &d);
    }
    if (!rc) {
        c->op->domain = id;
    }
    return rc;
}

int domctl_destroy(struct domctl_call *c)
{
    return domain_kill(c->d);
}

int domctl_pause(struct domctl_call *c)
{
    return domain_pause_by_controller(c->d);
}

int domctl_unpause(struct domctl_call *c)
{
    return domain_unpause_by_controller(c->d);
}

int domctl_resume(struct domctl_call *c)
{
    domain_resume(c->d);
    return 0;
}

int domctl_max_vcpus(struct domctl_call *c)
{
    struct domain *d = c->d;
    int rc = 0;

    if (c->op->u.max_vcpus.max != d->max_vcpus) { /* fixed when it was created */
        return -EINVAL;
    }
    domain_pause(d);
    for (unsigned int i = 0; i < d->max_vcpus && !rc; i++) {
        struct vcpu *v;

        if (!d->vcpu[i]) {
            rc = vcpu_create(d, i, &v);
        }
    }
    domain_unpause(d);
    return rc;
}

/* ---- properties ---- */

int domctl_max_mem(struct domctl_call *c)
{
    uint64_t pages = c->op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);

    /* It may have more already: then it only gets none. */
    LOCKED(&c->d->page_lock);
    c->d->max_pages = min(pages, (uint64_t)~0u);
    return 0;
}

int domctl_set_handle(struct domctl_call *c)
{
    memcpy(c->d->handle, c->op->u.setdomainhandle.handle, sizeof(c->d->handle));
    return 0;
}

int domctl_time_offset(struct domctl_call *c)
{
    c->d->time_offset = SECONDS(c->op->u.settimeoffset.time_offset_seconds);
    update_domain_wallclock(c->d);
    return 0;
}

int domctl_set_target(struct domctl_call *c)
{
    struct domain *target = domain_by_id(c->op->u.set_target.target);

    if (!target || !get_domain(target)) {
        return -ESRCH;
    }
    if (target == c->d || c->d->target || !target->is_hvm) {
        int rc = target == c->d || c->d->target ? -EINVAL : -EOPNOTSUPP;

        put_domain(target);
        return rc;
    }
    c->d->target = target; /* the reference goes with c->d */
    return 0;
}

int domctl_virq_handler(struct domctl_call *c)
{
    return set_global_virq_handler(c->d, c->op->u.set_virq_handler.virq);
}

int domctl_set_debugging(struct domctl_call *c)
{
    domain_pause(c->d);
    c->d->debugger_attached = c->op->u.setdebugging.enable != 0;
    domain_unpause(c->d);
    return 0;
}

int domctl_scheduler(struct domctl_call *c)
{
    return sched_adjust(c->d, &c->op->u.scheduler_op);
}

/* One memory node: node 0. */
int domctl_set_node_affinity(struct domctl_call *c)
{
    const struct xenctl_bitmap *map = &c->op->u.nodeaffinity.nodemap;
    uint8_t first = 0;

    if (map->nr_bits && copy_from_guest(&first, map->bitmap, 1)) {
        return -EFAULT;
    }
    return first & 1 ? 0 : -EINVAL;
}

int domctl_get_node_affinity(struct domctl_call *c)
{
    return cpumask_to_user(&c->op->u.nodeaffinity.nodemap, cpumask_of(0));
}

/* ---- information ---- */

static void sum_vcpus(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    bool blocked = true, running = false;
    struct vcpu *v;

    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for_each_vcpu (d, v) {
        unsigned long flags = READ_ONCE(v->sched.pause_flags);

        info->cpu_time += vcpu_cpu_time(v);
        info->max_vcpu_id = v->vcpu_id;
        if (flags & BIT(VPF_DOWN)) {
            continue;
        }
        info->nr_online_vcpus++;
        blocked &= (flags & BIT(VPF_BLOCKED)) != 0;
        running |= READ_ONCE(v->sched.is_running);
    }
    if (info->nr_online_vcpus) {
        info->flags |= (blocked ? XEN_DOMINF_blocked : 0u) | (running ? XEN_DOMINF_running : 0u);
    }
}

void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    memset(info, 0, sizeof(*info));
    info->domain = d->domain_id;
    sum_vcpus(d, info);
    info->flags |= (d->is_dying == DOMDYING_DEAD ? XEN_DOMINF_dying : 0u) |
                   (d->is_shut_down ? XEN_DOMINF_shutdown : 0u) |
                   (d->controller_pause_count ? XEN_DOMINF_paused : 0u) |
                   (d->debugger_attached ? XEN_DOMINF_debugged : 0u) |
                   (d->create_flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0u) |
                   (d->is_hvm ? XEN_DOMINF_hvm_guest : 0u) |
                   ((uint32_t)d->shutdown_code & XEN_DOMINF_shutdownmask)
                       << XEN_DOMINF_shutdownshift;
    info->tot_pages = d->tot_pages;
    info->max_pages = d->max_pages;
    info->outstanding_pages = d->outstanding_pages;
    info->shared_info_frame = d->shared_info_mfn.v;
    info->ssidref = d->ssidref;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->gpaddr_bits = (uint8_t)arch_phys_bits();
    info->arch_config.emulation_flags = d->is_hvm ? d->arch.emulation_flags : 0;
}

/* The domain asked for, or the first behind it: how tools walk them all. */
int domctl_info(struct domctl_call *c)
{
    struct domain *d = domain_by_id(c->op->domain), *next;

    if (!d) {
        if (c->op->domain >= DOMID_FIRST_RESERVED) {
            return -EINVAL;
        }
        for_each_domain (next) {
            if (next->domain_id >= c->op->domain) {
                d = next;
                break;
            }
        }
    }
    if (!d) {
        return -ESRCH;
    }
    domain_info(d, &c->op->u.getdomaininfo);
    c->op->domain = d->domain_id;
    return 0;
}
