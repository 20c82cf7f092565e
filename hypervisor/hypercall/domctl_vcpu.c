/* domctl: virtual CPUs - their contexts, where they run, how they fare. */
#include "domctl.h"

int domctl_set_vcpu_context(struct domctl_call *c)
{
    struct xen_domctl_vcpucontext *in = &c->op->u.vcpucontext;
    struct vcpu *v = domain_vcpu(c->d, in->vcpu);
    int rc;

    if (!v) {
        return -EINVAL;
    }
    if (guest_handle_is_null(in->ctxt)) {
        return vcpu_reset(v);
    }
    if (c->d->is_dying != DOMDYING_ALIVE) { /* nobody would give back the tables any more */
        return -EINVAL;
    }
    domain_pause(c->d);
    rc = arch_initialise_vcpu(v, guest_handle_cast(in->ctxt, void));
    domain_unpause(c->d);
    return rc;
}

int domctl_get_vcpu_context(struct domctl_call *c)
{
    struct xen_domctl_vcpucontext *in = &c->op->u.vcpucontext;
    struct vcpu *v = domain_vcpu(c->d, in->vcpu);
    struct vcpu_guest_context *ctxt;
    int rc = 0;

    if (!v || v == current) {
        return -EINVAL;
    }
    if (!v->is_initialised) {
        return -ENODATA;
    }
    ctxt = xzalloc(struct vcpu_guest_context);
    if (!ctxt) {
        return -ENOMEM;
    }
    vcpu_pause(v);
    arch_sync_vcpu_state(v);
    arch_get_info_guest(v, ctxt);
    vcpu_unpause(v);
    if (copy_to_guest(in->ctxt, ctxt, 1)) {
        rc = -EFAULT;
    }
    xfree(ctxt);
    return rc;
}

int domctl_vcpu_info(struct domctl_call *c)
{
    struct xen_domctl_getvcpuinfo *info = &c->op->u.getvcpuinfo;
    struct vcpu *v;
    unsigned long flags;

    if (info->vcpu >= c->d->max_vcpus) {
        return -EINVAL;
    }
    v = domain_vcpu(c->d, info->vcpu);
    if (!v) {
        return -ESRCH;
    }
    flags = READ_ONCE(v->sched.pause_flags);
    info->online = !(flags & BIT(VPF_DOWN));
    info->blocked = (flags & BIT(VPF_BLOCKED)) != 0;
    info->running = READ_ONCE(v->sched.is_running);
    info->cpu_time = vcpu_cpu_time(v);
    info->cpu = v->sched.processor;
    return 0;
}

/* ---- affinity ---- */

int cpumask_from_user(cpumask_t *out, const struct xenctl_bitmap *map)
{
    uint8_t bytes[sizeof(cpumask_t)] = {0};
    unsigned int n = min((map->nr_bits + 7) / 8, (unsigned int)sizeof(bytes));

    if (n && copy_from_guest(bytes, map->bitmap, n)) {
        return -EFAULT;
    }
    memcpy(out, bytes, sizeof(*out));
    if (map->nr_bits < NR_CPUS) {
        out->bits &= map->nr_bits ? BIT(map->nr_bits) - 1 : 0;
    }
    return 0;
}

int cpumask_to_user(struct xenctl_bitmap *map, cpumask_t mask)
{
    unsigned int bytes = (map->nr_bits + 7) / 8, n = min(bytes, (unsigned int)sizeof(mask));

    if (map->nr_bits < NR_CPUS) {
        mask.bits &= map->nr_bits ? BIT(map->nr_bits) - 1 : 0;
    }
    if (n && copy_to_guest(map->bitmap, (const uint8_t *)&mask, n)) {
        return -EFAULT;
    }
    if (bytes > n) {
        XEN_GUEST_HANDLE(uint8) rest = map->bitmap;

        guest_handle_add(rest, n);
        return clear_guest(rest, bytes - n) ? -EFAULT : 0;
    }
    return 0;
}

static int set_hard(struct vcpu *v, struct xen_domctl_vcpuaffinity *a)
{
    cpumask_t wanted;
    int rc = cpumask_from_user(&wanted, &a->cpumap_hard);

    if (!rc) {
        rc = vcpu_set_hard_affinity(v, wanted);
    }
    return rc ? rc
              : cpumask_to_user(&a->cpumap_hard,
                                cpumask_and(v->sched.hard_affinity, cpu_online_map));
}

static int set_soft(struct vcpu *v, struct xen_domctl_vcpuaffinity *a)
{
    cpumask_t wanted, effective;
    int rc = cpumask_from_user(&wanted, &a->cpumap_soft);

    if (!rc) {
        rc = vcpu_set_soft_affinity(v, wanted);
    }
    effective =
        cpumask_and(cpumask_and(v->sched.soft_affinity, v->sched.hard_affinity), cpu_online_map);
    return rc ? rc : cpumask_to_user(&a->cpumap_soft, effective);
}

static int find_vcpu(struct domctl_call *c, struct vcpu **v)
{
    const struct xen_domctl_vcpuaffinity *a = &c->op->u.vcpuaffinity;

    if (a->vcpu >= c->d->max_vcpus) {
        return -EINVAL;
    }
    *v = domain_vcpu(c->d, a->vcpu);
    if (!*v) {
        return -ESRCH;
    }
    return a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) ? 0 : -EINVAL;
}

int domctl_set_affinity(struct domctl_call *c)
{
    struct xen_domctl_vcpuaffinity *a = &c->op->u.vcpuaffinity;
    cpumask_t old_hard;
    struct vcpu *v;
    int rc = find_vcpu(c, &v);

    if (rc) {
        return rc;
    }
    old_hard = v->sched.hard_affinity;
    if (a->flags & XEN_VCPUAFFINITY_HARD) {
        rc = set_hard(v, a);
    }
    if (!rc && (a->flags & XEN_VCPUAFFINITY_SOFT)) {
        rc = set_soft(v, a);
        if (rc && (a->flags & XEN_VCPUAFFINITY_HARD)) { /* both or none */
            (void)!vcpu_set_hard_affinity(v, old_hard);
        }
    }
    return rc;
}

int domctl_get_affinity(struct domctl_call *c)
{
    struct xen_domctl_vcpuaffinity *a = &c->op->u.vcpuaffinity;
    struct vcpu *v;
    int rc = find_vcpu(c, &v);

    if (!rc && (a->flags & XEN_VCPUAFFINITY_HARD)) {
        rc = cpumask_to_user(&a->cpumap_hard, v->sched.hard_affinity);
    }
    if (!rc && (a->flags & XEN_VCPUAFFINITY_SOFT)) {
        rc = cpumask_to_user(&a->cpumap_soft, v->sched.soft_affinity);
    }
    return rc;
}
