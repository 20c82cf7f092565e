/*
 * Giving back a dying domain's memory, preemptibly. Page tables refer downwards, or
 * at most once sideways (linear tables), never in a ring, so once every vcpu's tables, every pin
 * and every half-done validation is dropped, all types go by themselves; what stays is held by
 * other domains' mappings and goes with those.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include "mm.h"

/* Its tables and descriptor tables. v does not run and never will again. */
static int relinquish_vcpu(struct vcpu *v)
{
    int rc;

    arch_sync_vcpu_state(v);
    rc = pv_drop_guest_tables(v);
    if (rc == 0 && v->domain->arch.pv.gdt_ldt_l1) {
        pv_destroy_gdt(v);
        (void)pv_destroy_ldt(v);
    }
    return rc;
}

/* Drops what the guest did to pg; the caller holds a general reference. 0 or -ERESTART. */
static int relinquish_types(struct page_info *pg)
{
    int rc;

    if (page_clear_pinned(pg)) {
        rc = put_page_type(pg, true);
        if (rc == 0) {
            put_page(pg);          /* the pin's */
        } else if (rc == -EINTR) { /* nothing done: the pin is as it was */
            if (!page_set_pinned(pg)) {
                put_page_and_type(pg); /* Domain 0 has pinned it meanwhile: one pin is enough */
            }
            return -ERESTART;
        } else {
            /* PGT_PARTIAL has its own general reference now. */
            put_page(pg);
            return -ERESTART;
        }
    }
    return put_page_type_partial(pg, true) == 0 ? 0 : -ERESTART;
}

/* The first page not yet dealt with, with a reference; NULL: none left. */
static struct page_info *next_page(struct domain *d)
{
    struct page_info *pg;

    spin_lock(&d->page_lock);
    for (;;) {
        pg = page_list_first(&d->page_list);
        if (!pg) {
            break;
        }
        page_list_del(pg, &d->page_list);
        page_list_add_tail(pg, &d->relmem_list);
        if (get_page(pg, d)) {
            break;
        }
        /* Its last reference is just going: put_page takes it off the list. */
    }
    spin_unlock(&d->page_lock);
    return pg;
}

/* pg was not finished: it is the next one again. */
static void page_again(struct domain *d, struct page_info *pg)
{
    spin_lock(&d->page_lock);
    page_list_del(pg, &d->relmem_list);
    page_list_add_tail(pg, &d->page_list);
    spin_unlock(&d->page_lock);
}

static int relinquish_pages(struct domain *d)
{
    struct page_info *pg;
    unsigned int n = 0;

    while ((pg = next_page(d)) != NULL) {
        int rc = relinquish_types(pg);

        if (rc != 0) {
            page_again(d, pg);
            put_page(pg);
            return rc;
        }
        put_page_alloc_ref(pg);
        put_page(pg);
        if ((++n & 63) == 0 && hypercall_preempt_check()) {
            return -ERESTART;
        }
    }
    return 0;
}

int pv_relinquish_memory(struct domain *d)
{
    struct vcpu *v;
    int rc;

    for_each_vcpu (d, v) {
        rc = relinquish_vcpu(v);
        if (rc != 0) {
            return rc;
        }
    }
    return relinquish_pages(d);
}

/* ---- guest frames of PV domains: its machine frames ---- */

int get_guest_frame(struct domain *d, gfn_t g, bool writable, struct page_info **pg, mfn_t *out)
{
    mfn_t m = mfn(g.v);

    if (!mfn_valid(m) || !get_page(mfn_to_page(m), d)) {
        return -EINVAL;
    }
    *pg = mfn_to_page(m);
    *out = m;
    return 0;
}

int arch_physmap_add(struct domain *d, gfn_t g, mfn_t m, unsigned int order)
{
    return -EOPNOTSUPP;
}

int arch_physmap_remove(struct domain *d, gfn_t g, mfn_t m, unsigned int order)
{
    return -EOPNOTSUPP;
}
