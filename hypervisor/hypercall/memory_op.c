/*
 * memory_op: a domain's memory, from asking how much it has to exchanging frames. The architecture
 * knows what is not here (machine-to-physical table, memory maps): arch_memory_op.
 */
#include "memory_op.h"

__DEFINE_XEN_GUEST_HANDLE(xen_memory_domain, struct xen_memory_domain);

/* XENMEM_current_reservation, _maximum_reservation, _maximum_gpfn. */
static long ask_reservation(unsigned int op, XEN_GUEST_HANDLE(void) arg)
{
    struct xen_memory_domain in;
    struct domain *d;
    int rc;

    if (copy_from_guest(&in, guest_handle_cast(arg, xen_memory_domain), 1)) {
        return -EFAULT;
    }
    rc = domain_by_guest_id_controlled(in.domid, &d);
    if (rc) {
        return rc;
    }
    switch (op) {
    case XENMEM_current_reservation:
        return (long)d->tot_pages;
    case XENMEM_maximum_reservation:
        return (long)d->max_pages;
    default:
        return arch_max_gpfn(d);
    }
}

/* Promises memory to a domain that is being built. */
static long claim_pages(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_memory_reservation in;
    struct domain *d;

    if (copy_from_guest(&in, guest_handle_cast(arg, xen_memory_reservation_t), 1)) {
        return -EFAULT;
    }
    if (!guest_handle_is_null(in.extent_start) || in.extent_order || in.mem_flags) {
        return -EINVAL;
    }
    d = domain_by_id(in.domid);
    if (!d) {
        return -EINVAL;
    }
    if (!current->domain->is_privileged) {
        return -EPERM;
    }
    return domain_claim_pages(d, in.nr_extents);
}

/* XENMEM_add_to_physmap and _batch: for translated guests; a PV domain has no physmap to add to. */
static long add_to_physmap(XEN_GUEST_HANDLE(void) arg, bool batch)
{
    domid_t id;
    unsigned int space;
    struct domain *d;
    int rc;

    if (batch) {
        struct xen_add_to_physmap_batch in;

        if (copy_from_guest(&in, guest_handle_cast(arg, xen_add_to_physmap_batch_t), 1)) {
            return -EFAULT;
        }
        if (in.space == XENMAPSPACE_gmfn_range) {
            return -EOPNOTSUPP;
        }
        id = in.domid;
        space = in.space;
    } else {
        struct xen_add_to_physmap in;

        if (copy_from_guest(&in, guest_handle_cast(arg, xen_add_to_physmap_t), 1)) {
            return -EFAULT;
        }
        id = in.domid;
        space = in.space;
        if (space == XENMAPSPACE_gmfn_foreign) {
            return -ENOSYS;
        }
    }
    rc = domain_by_guest_id_controlled(id, &d);
    if (rc) {
        return rc;
    }
    return d->is_hvm ? -EOPNOTSUPP : -EACCES;
}

static long remove_from_physmap(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_remove_from_physmap in;
    struct page_info *pg;
    struct domain *d;
    mfn_t m;
    int rc;

    if (copy_from_guest(&in, guest_handle_cast(arg, xen_remove_from_physmap_t), 1)) {
        return -EFAULT;
    }
    rc = domain_by_guest_id_controlled(in.domid, &d);
    if (rc) {
        return rc;
    }
    if (!d->is_hvm) {
        return -EACCES;
    }
    if (get_guest_frame(d, gfn(in.gpfn), false, &pg, &m)) {
        return -ENOENT;
    }
    rc = arch_physmap_remove(d, gfn(in.gpfn), m, 0);
    put_page(pg);
    return rc;
}

/* No device memory is reserved for guests: an empty list. */
static long reserved_device_memory(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_reserved_device_memory_map in;

    if (copy_from_guest(&in, guest_handle_cast(arg, xen_reserved_device_memory_map_t), 1)) {
        return -EFAULT;
    }
    if (in.flags & ~XENMEM_RDM_ALL) {
        return -EINVAL;
    }
    in.nr_entries = 0;
    return copy_to_guest(guest_handle_cast(arg, xen_reserved_device_memory_map_t), &in, 1) ? -EFAULT
                                                                                           : 0;
}

long do_memory_op(unsigned long cmd, XEN_GUEST_HANDLE(void) arg)
{
    unsigned int op = cmd & MEMOP_CMD_MASK;
    unsigned long start = cmd >> MEMOP_EXTENT_SHIFT;

    switch (op) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return memory_reservation(op, start, arg);
    case XENMEM_acquire_resource:
        return memory_acquire_resource(start, arg);
    default:
        break;
    }
    if (start) { /* the others never continue that way */
        return -EINVAL;
    }
    switch (op) {
    case XENMEM_exchange:
        return memory_exchange(arg);
    case XENMEM_maximum_ram_page:
        return (long)arch_max_ram_page();
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return ask_reservation(op, arg);
    case XENMEM_claim_pages:
        return claim_pages(arg);
    case XENMEM_add_to_physmap:
    case XENMEM_add_to_physmap_batch:
        return add_to_physmap(arg, op == XENMEM_add_to_physmap_batch);
    case XENMEM_remove_from_physmap:
        return remove_from_physmap(arg);
    case XENMEM_reserved_device_memory_map:
        return reserved_device_memory(arg);
    case XENMEM_get_vnumainfo:
        return -EOPNOTSUPP; /* no domain has a virtual NUMA topology */
    default:
        return arch_memory_op(cmd, arg);
    }
}
