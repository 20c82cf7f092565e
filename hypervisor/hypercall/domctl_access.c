/* domctl: what of the machine a domain may touch. Nobody can give what he does not have himself. */
#include "domctl.h"

static int give_or_take(struct rangeset *mine, struct rangeset *theirs, uint64_t first,
                        uint64_t last, bool allow)
{
    if (!rangeset_contains(mine, first, last)) {
        return -EPERM;
    }
    return allow ? rangeset_add(theirs, first, last) : rangeset_remove(theirs, first, last);
}

int domctl_irq_permission(struct domctl_call *c)
{
    const struct xen_domctl_irq_permission *p = &c->op->u.irq_permission;

    if (p->pirq >= NR_PIRQS) {
        return -EINVAL;
    }
    return give_or_take(current->domain->irq_caps, c->d->irq_caps, p->pirq, p->pirq,
                        p->allow_access != 0);
}

int domctl_iomem_permission(struct domctl_call *c)
{
    const struct xen_domctl_iomem_permission *p = &c->op->u.iomem_permission;
    uint64_t last = p->first_mfn + p->nr_mfns - 1;

    if (last < p->first_mfn) {
        return -EINVAL;
    }
    return give_or_take(current->domain->iomem_caps, c->d->iomem_caps, p->first_mfn, last,
                        p->allow_access != 0);
}

int domctl_ioport_permission(struct domctl_call *c)
{
    const struct xen_domctl_ioport_permission *p = &c->op->u.ioport_permission;

    if (p->nr_ports == 0 || (uint64_t)p->first_port + p->nr_ports > 0x10000) {
        return -EINVAL;
    }
    return give_or_take(current->domain->ioport_caps, c->d->ioport_caps, p->first_port,
                        p->first_port + p->nr_ports - 1, p->allow_access != 0);
}

/* Device memory in a physmap; a PV domain maps it by itself and needs only the permission. */
int domctl_memory_mapping(struct domctl_call *c)
{
    const struct xen_domctl_memory_mapping *m = &c->op->u.memory_mapping;
    uint64_t last = m->first_mfn + m->nr_mfns - 1, limit = BIT(arch_phys_bits() - PAGE_SHIFT);

    if (last < m->first_mfn || last >= limit || m->first_gfn + m->nr_mfns - 1 < m->first_gfn) {
        return -EINVAL;
    }
    if (!rangeset_contains(current->domain->iomem_caps, m->first_mfn, last) ||
        !rangeset_contains(c->d->iomem_caps, m->first_mfn, last)) {
        return -EPERM;
    }
    return c->d->is_hvm ? -EOPNOTSUPP : 0;
}
