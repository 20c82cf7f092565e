/*
 * GNTTABOP_transfer: the current domain gives a frame of its own away, for good, to a domain that
 * has an entry saying that it accepts one from it. The frame changes its owner with its content;
 * the receiver is told of the start (GTF_transfer_committed) and the end (_completed) in the entry.
 * Whatever goes wrong once the frame has left its owner frees it, as the ABI has it. See
 * grant_internal.h.
 */
#include <hospes/memory.h>
#include <hospes/page.h>
#include "grant_internal.h"

/* gt->lock held: commits the entry to a transfer from `from`, if it accepts one. */
static bool commit(struct grant_table *gt, grant_ref_t ref, domid_t from)
{
    uint32_t *raw = gt->version == 1 ? (uint32_t *)(void *)grant_v1(gt, ref)
                                     : (uint32_t *)(void *)&grant_v2(gt, ref)->hdr;
    uint32_t want = GTF_accept_transfer | (uint32_t)from << 16;

    /* Flags in the lower half, the domain in the upper one; nothing but these may be set. */
    return __atomic_compare_exchange_n(raw, &want, want | GTF_transfer_committed, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* gt->lock held: where the frame is, and that it is there. */
static void complete(struct grant_table *gt, grant_ref_t ref, mfn_t m)
{
    uint16_t *flags;

    if (gt->version == 1) {
        grant_entry_v1_t *e = grant_v1(gt, ref);

        set_gpfn_from_mfn(m, READ_ONCE(e->frame));
        WRITE_ONCE(e->frame, (uint32_t)m.v);
        flags = &e->flags;
    } else {
        grant_entry_v2_t *e = grant_v2(gt, ref);

        set_gpfn_from_mfn(m, READ_ONCE(e->full_page.frame));
        WRITE_ONCE(e->full_page.frame, m.v);
        flags = &e->hdr.flags;
    }
    __atomic_fetch_or(flags, (uint16_t)GTF_transfer_completed, __ATOMIC_SEQ_CST);
}

/* Gives pg, which nobody owns, to the owner of the table. */
static int receive(struct grant_table *gt, grant_ref_t ref, struct page_info *pg)
{
    struct domain *to = gt->domain;
    grant_ref_t entries;

    LOCKED(&gt->lock);
    entries = grant_nr_entries(gt);
    if (ref >= entries || to->is_dying || READ_ONCE(to->tot_pages) >= to->max_pages) {
        return GNTST_general_error;
    }
    ref = (grant_ref_t)array_index_nospec(ref, entries);
    if (!commit(gt, ref, current->domain->domain_id) || assign_pages(pg, 0, to, 0)) {
        return GNTST_general_error;
    }
    complete(gt, ref, page_to_mfn(pg));
    return GNTST_okay;
}

int grant_transfer(const struct gnttab_transfer *op)
{
    struct domain *d = current->domain, *to;
    mfn_t m = mfn(op->mfn);
    struct page_info *pg;
    int rc;

    if (!mfn_valid(m)) {
        return GNTST_bad_page;
    }
    pg = mfn_to_page(m);
    rc = steal_page(d, pg, 0);
    if (rc) {
        return GNTST_bad_page; /* also where somebody uses it */
    }
    to = domain_by_id(op->domid);
    if (!to || !to->grants.table) {
        rc = GNTST_bad_domain;
    } else {
        rc = receive(to->grants.table, op->ref, pg);
    }
    if (rc != GNTST_okay) {
        free_frames(pg, 0);
    }
    return rc;
}
