/*
 * permission.c: what a domain may touch of the machine, what can be injected into it, and HVM
 * parameters.
 *
 * Read private.h first.
 */
#include "libxenctrl/private.h"
#include <xen/hvm/hvm_op.h>

int xc_domain_iomem_permission(struct xc_handle *h, uint32_t domid, uint64_t first_mfn,
                               uint64_t count, bool allow)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_iomem_permission, domid);

    d->u.iomem_permission.first_mfn = first_mfn;
    d->u.iomem_permission.nr_mfns = count;
    d->u.iomem_permission.allow_access = allow;
    return xc_domctl_named(h, allow ? "given I/O memory" : "denied I/O memory");
}

int xc_domain_ioport_permission(struct xc_handle *h, uint32_t domid, uint32_t first, uint32_t count,
                                bool allow)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_ioport_permission, domid);

    d->u.ioport_permission.first_port = first;
    d->u.ioport_permission.nr_ports = count;
    d->u.ioport_permission.allow_access = allow;
    return xc_domctl_named(h, allow ? "given I/O ports" : "denied I/O ports");
}

int xc_domain_irq_permission(struct xc_handle *h, uint32_t domid, uint32_t pirq, bool allow)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_irq_permission, domid);

    d->u.irq_permission.pirq = pirq;
    d->u.irq_permission.allow_access = allow;
    return xc_domctl_named(h, allow ? "given an interrupt" : "denied an interrupt");
}

int xc_domain_trigger(struct xc_handle *h, uint32_t domid, enum xc_trigger what, uint32_t vcpu)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_sendtrigger, domid);

    d->u.sendtrigger.trigger = what;
    d->u.sendtrigger.vcpu = vcpu;
    return xc_domctl_named(h, "sent a trigger");
}

int xc_domain_set_debugging(struct xc_handle *h, uint32_t domid, bool enable)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_setdebugging, domid);

    d->u.setdebugging.enable = enable;
    return xc_domctl_named(h, "debugged");
}

int xc_domain_set_virq_handler(struct xc_handle *h, uint32_t domid, uint32_t virq)
{
    struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_set_virq_handler, domid);

    d->u.set_virq_handler.virq = virq;
    return xc_domctl_named(h, "given that virtual interrupt");
}

static int hvm_param(struct xc_handle *h, unsigned int op, uint32_t domid, uint32_t param,
                     uint64_t *value)
{
    struct xen_hvm_param *p = xc_control(h, sizeof(*p));
    long r;

    p->domid = xc_domid(domid);
    p->index = param;
    p->value = *value;
    r = xc_call(h, __HYPERVISOR_hvm_op, op, (uintptr_t)p, 0);
    if (r < 0) {
        return xc_fail(h, (int)r, "HVM parameter %u of domain %u can't be %s: %s.", param, domid,
                       op == HVMOP_set_param ? "set" : "read", xc_reason((int)r));
    }
    *value = p->value;
    return 0;
}

int xc_hvm_param_set(struct xc_handle *h, uint32_t domid, uint32_t param, uint64_t value)
{
    return hvm_param(h, HVMOP_set_param, domid, param, &value);
}

int xc_hvm_param_get(struct xc_handle *h, uint32_t domid, uint32_t param, uint64_t *value)
{
    uint64_t read = 0;
    int rc = hvm_param(h, HVMOP_get_param, domid, param, &read);

    if (rc == 0) {
        *value = read;
    }
    return rc;
}
