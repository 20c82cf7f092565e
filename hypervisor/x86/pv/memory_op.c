/*
 * The architecture's part of memory_op: memory maps (the machine's, and the one a domain is shown)
 * and the machine-to-physical table.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/boot.h>
#include "mm.h"

#define E820_MAX        128u
#define M2P_EXTENT      (1ul << 21) /* bytes: what the toolstack maps of it at a time */
#define M2P_EXTENT_MFNS (M2P_EXTENT / 8)

_Static_assert(MACH2PHYS_VIRT_START == RO_M2P_START, "the ABI says where guests find the M2P");

void domain_set_e820(struct domain *d, struct e820_entry *e820, unsigned int nr)
{
    struct e820_entry *old;

    spin_lock(&d->page_lock);
    old = d->arch.e820;
    d->arch.e820 = e820;
    d->arch.nr_e820 = nr;
    spin_unlock(&d->page_lock);
    xfree(old);
}

static long set_memory_map(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_foreign_memory_map fmap;
    struct e820_entry *e820;
    struct domain *d;
    int rc;

    if (copy_from_guest(&fmap, guest_handle_cast(arg, xen_foreign_memory_map_t), 1)) {
        return -EFAULT;
    }
    if (fmap.map.nr_entries > E820_MAX) {
        return -EINVAL;
    }
    rc = domain_by_guest_id(fmap.domid, &d);
    if (rc != 0) {
        return rc;
    }
    if (!pv_may_map(current->domain, d)) {
        return -EPERM;
    }
    e820 = xzalloc_array(struct e820_entry, fmap.map.nr_entries);
    if (!e820) {
        return -ENOMEM;
    }
    if (raw_copy_from_guest(e820, guest_handle_addr(fmap.map.buffer),
                            fmap.map.nr_entries * sizeof(*e820)) != 0) {
        xfree(e820);
        return -EFAULT;
    }
    domain_set_e820(d, e820, fmap.map.nr_entries);
    return 0;
}

/* A private copy, so that the guest's memory is not touched under the lock. */
static long copy_e820(struct domain *d, struct e820_entry *copy, unsigned int *nr)
{
    LOCKED(&d->page_lock);
    if (d->arch.nr_e820 == 0) {
        return -ENOSYS;
    }
    *nr = min(*nr, d->arch.nr_e820);
    memcpy(copy, d->arch.e820, *nr * sizeof(*copy));
    return 0;
}

static long get_memory_map(XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(xen_memory_map_t) h = guest_handle_cast(arg, xen_memory_map_t);
    struct xen_memory_map map;
    struct e820_entry *copy;
    long rc;

    if (copy_from_guest(&map, h, 1)) {
        return -EFAULT;
    }
    copy = xzalloc_array(struct e820_entry, E820_MAX);
    if (!copy) {
        return -ENOMEM;
    }
    rc = copy_e820(current->domain, copy, &map.nr_entries);
    if (rc == 0 && (raw_copy_to_guest(guest_handle_addr(map.buffer), copy,
                                      map.nr_entries * sizeof(*copy)) != 0 ||
                    copy_to_guest(h, &map, 1))) {
        rc = -EFAULT;
    }
    xfree(copy);
    return rc;
}

static long machine_memory_map(XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(xen_memory_map_t) h = guest_handle_cast(arg, xen_memory_map_t);
    struct xen_memory_map map;

    if (!current->domain->is_privileged) {
        return -EPERM;
    }
    if (copy_from_guest(&map, h, 1)) {
        return -EFAULT;
    }
    if (!guest_handle_is_null(map.buffer)) {
        if (map.nr_entries < memory_map.nr) {
            return -EINVAL;
        }
        for (unsigned int i = 0; i < memory_map.nr; i++) {
            struct e820_entry e = {
                .addr = memory_map.region[i].start,
                .size = memory_map.region[i].size,
                .type = memory_map.region[i].type,
            };

            if (raw_copy_to_guest(guest_handle_addr(map.buffer) + i * sizeof(e), &e, sizeof(e)) !=
                0) {
                return -EFAULT;
            }
        }
    }
    map.nr_entries = memory_map.nr;
    return copy_to_guest(h, &map, 1) ? -EFAULT : 0;
}

static long machphys_mapping(XEN_GUEST_HANDLE(void) arg)
{
    struct xen_machphys_mapping m = {
        .v_start = MACH2PHYS_VIRT_START,
        .v_end = MACH2PHYS_VIRT_END,
        .max_mfn = current->domain->is_hardware ? max_mfn - 1 : MACH2PHYS_NR_ENTRIES - 1,
    };

    return copy_to_guest(guest_handle_cast(arg, xen_machphys_mapping_t), &m, 1) ? -EFAULT : 0;
}

/* The frames behind the table, one number for each 2 MiB of it; a hole repeats the one before. */
static long machphys_mfn_list(XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(xen_machphys_mfn_list_t) h = guest_handle_cast(arg, xen_machphys_mfn_list_t);
    struct xen_machphys_mfn_list list;
    xen_pfn_t last = 0;
    unsigned int n = 0;

    if (copy_from_guest(&list, h, 1)) {
        return -EFAULT;
    }
    for (; n < list.max_extents && n * M2P_EXTENT_MFNS < max_mfn; n++) {
        paddr_t pa = hyp_va_to_pa((void *)(RW_M2P_START + n * M2P_EXTENT));

        if (pa.v != ~0ull) {
            last = pa.v >> PAGE_SHIFT;
        }
        if (copy_to_guest_offset(list.extent_start, n, &last, 1)) {
            return -EFAULT;
        }
    }
    list.nr_extents = n;
    return copy_to_guest(h, &list, 1) ? -EFAULT : 0;
}

static long pod_target(unsigned long cmd, XEN_GUEST_HANDLE(void) arg)
{
    struct xen_pod_target target;
    struct domain *d;
    int rc;

    if (raw_copy_from_guest(&target, guest_handle_addr(arg), sizeof(target)) != 0) {
        return -EFAULT;
    }
    rc = domain_by_guest_id(target.domid, &d);
    return rc != 0 ? rc : -EINVAL; /* populate on demand: HVM guests only, and not here */
}

long arch_memory_op(unsigned long cmd, XEN_GUEST_HANDLE(void) arg)
{
    switch (cmd) {
    case XENMEM_set_memory_map:
        return set_memory_map(arg);
    case XENMEM_memory_map:
        return get_memory_map(arg);
    case XENMEM_machine_memory_map:
        return machine_memory_map(arg);
    case XENMEM_machphys_mapping:
        return machphys_mapping(arg);
    case XENMEM_machphys_mfn_list:
        return machphys_mfn_list(arg);
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
        return pod_target(cmd, arg);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0; /* no page is shared */
    default:
        return -ENOSYS;
    }
}

/* A PV guest says so itself, in its shared info. */
long arch_max_gpfn(const struct domain *d)
{
    return d->shared_info ? (long)READ_ONCE(d->shared_info->arch.max_pfn) - 1 : 0;
}
