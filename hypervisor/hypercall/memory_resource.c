/*
 * XENMEM_acquire_resource: the frames of something that belongs to a domain but is not in its
 * memory map - here its grant table - for a manager to map.
 */
#include "memory_op.h"

#define CHUNK 32u

static int get_frames(struct domain *d, const struct xen_mem_acquire_resource *in,
                      unsigned long first, unsigned int nr, xen_pfn_t *frames)
{
    for (unsigned int i = 0; i < nr; i++) {
        mfn_t m;
        int rc =
            gnttab_get_frame(d, first + i, in->id == XENMEM_resource_grant_table_id_status, &m);

        if (rc) {
            return rc;
        }
        frames[i] = m.v;
    }
    return 0;
}

/* -errno, or 0 with in->domid's domain. */
static int decode(const struct xen_mem_acquire_resource *in, struct domain **d)
{
    int rc;

    if (in->pad || in->frame >> 32 || (in->frame + in->nr_frames) >> 32) {
        return -EINVAL;
    }
    if (in->domid == DOMID_SELF || in->domid == current->domain->domain_id) {
        return -EPERM;
    }
    rc = domain_by_guest_id_controlled(in->domid, d);
    if (rc) {
        return rc;
    }
    if (in->type != XENMEM_resource_grant_table) {
        return in->type == XENMEM_resource_ioreq_server ? -EINVAL : -EOPNOTSUPP;
    }
    return gnttab_max_frames(*d, in->id) ? 0 : -EINVAL;
}

long memory_acquire_resource(unsigned long start, XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(xen_mem_acquire_resource_t)
    user = guest_handle_cast(arg, xen_mem_acquire_resource_t);
    struct xen_mem_acquire_resource in;
    struct domain *d;
    int rc;

    if (copy_from_guest(&in, user, 1)) {
        return -EFAULT;
    }
    rc = decode(&in, &d);
    if (rc) {
        return rc;
    }
    if (guest_handle_is_null(in.frame_list)) { /* how many are there? */
        if (in.nr_frames || start) {
            return -EINVAL;
        }
        in.nr_frames = gnttab_max_frames(d, in.id);
        return copy_field_to_guest(user, &in, nr_frames) ? -EFAULT : 0;
    }
    if (start >= in.nr_frames || in.nr_frames > MEMOP_MAX_EXTENTS) {
        return -EINVAL;
    }
    while (start < in.nr_frames) {
        xen_pfn_t frames[CHUNK];
        unsigned int n = (unsigned int)min(in.nr_frames - start, (unsigned long)CHUNK);

        rc = get_frames(d, &in, in.frame + start, n, frames);
        if (rc) {
            return rc;
        }
        if (copy_to_guest_offset(in.frame_list, start, frames, n)) {
            return -EFAULT;
        }
        start += n;
        if (start < in.nr_frames && hypercall_preempt_check()) {
            return (long)hypercall_create_continuation(
                __HYPERVISOR_memory_op, "lh",
                XENMEM_acquire_resource | (start << MEMOP_EXTENT_SHIFT), guest_handle_addr(arg));
        }
    }
    return 0;
}
