/*
 * seed.c: the first entries of a new domain's grant table.
 *
 * Read private.h first. The table is mapped as a resource; where kernel or hypervisor can't do
 * that, by the machine frame that GNTTABOP_setup_table tells.
 */
#include <sys/mman.h>

#include "libxenctrl/private.h"
#include <xen/grant_table.h>

_Static_assert(XC_GRANT_CONSOLE == GNTTAB_RESERVED_CONSOLE, "the ABI's number");
_Static_assert(XC_GRANT_XENSTORE == GNTTAB_RESERVED_XENSTORE, "the ABI's number");

/* Map the first frame of @domid's table the older way. */
static struct grant_entry_v1 *map_table_frame(struct xc_handle *h, uint32_t domid)
{
    XC_SCOPED_BUFFER frame = xc_buffer_new(h, sizeof(xen_pfn_t));
    struct gnttab_setup_table *setup;
    long r;

    if (frame.p == NULL) {
        return NULL;
    }
    setup = xc_control(h, sizeof(*setup));
    setup->dom = xc_domid(domid);
    setup->nr_frames = 1;
    set_xen_guest_handle(setup->frame_list, (xen_pfn_t *)frame.p);
    r = xc_call(h, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, (uintptr_t)setup, 1);
    if (r < 0 || setup->status != GNTST_okay) {
        int rc = r < 0 ? (int)r : -EIO;

        (void)xc_fail(h, rc, "The grant table of domain %u can't be set up: %s (status %d).", domid,
                      xc_reason(rc), setup->status);
        errno = -rc;
        return NULL;
    }
    return xc_map_frame(h, domid, PROT_READ | PROT_WRITE, *(xen_pfn_t *)frame.p);
}

static void write_entry(struct grant_entry_v1 *entry, uint32_t domid, uint32_t to, uint64_t mfn)
{
    if (domid == to) {
        return; /* nobody needs a grant for own memory */
    }
    entry->domid = xc_domid(to);
    entry->frame = (uint32_t)mfn;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    entry->flags = GTF_permit_access;
}

int xc_gnttab_seed(struct xc_handle *h, uint32_t domid, uint64_t console_mfn,
                   uint32_t console_domid, uint64_t xenstore_mfn, uint32_t xenstore_domid)
{
    struct grant_entry_v1 *table;

    if (console_mfn > UINT32_MAX || xenstore_mfn > UINT32_MAX) {
        return xc_fail(h, -EINVAL, "A frame beyond 16 TiB doesn't fit in a version 1 grant.");
    }
    table = xc_map_resource(h, domid, XENMEM_resource_grant_table,
                            XENMEM_resource_grant_table_id_shared, 0, 1, PROT_READ | PROT_WRITE);
    if (table == NULL && errno == EOPNOTSUPP) {
        table = map_table_frame(h, domid);
    }
    if (table == NULL) {
        return errno > 0 ? -errno : -ENOMEM;
    }
    write_entry(&table[XC_GRANT_CONSOLE], domid, console_domid, console_mfn);
    write_entry(&table[XC_GRANT_XENSTORE], domid, xenstore_domid, xenstore_mfn);
    xc_unmap(table, 1);
    return 0;
}
