/*
 * Copying between pages, each named by a grant or by a frame of the caller's own. Neighbouring
 * copies of a batch often use the same pages, so those of the last copy are kept until others are
 * named. See grant_internal.h.
 */
#include <hospes/trace.h>
#include "grant_internal.h"

static void end_drop(struct grant_copy_end *e)
{
    if (e->held && e->by_grant) {
        grant_release(&e->use);
    } else if (e->held && e->write) {
        put_page_and_type(e->use.page);
    } else if (e->held) {
        put_page(e->use.page);
    }
    e->held = false;
}

void grant_copy_finish(struct grant_copy_state *s)
{
    end_drop(&s->source);
    end_drop(&s->dest);
}

/* A frame of the current domain's own. */
static int hold_own_frame(struct grant_copy_end *e, uint64_t frame)
{
    mfn_t m;

    if (get_guest_frame(current->domain, gfn(frame), e->write, &e->use.page, &m)) {
        return GNTST_general_error;
    }
    if (e->write && get_page_type(e->use.page, PGT_WRITABLE, false)) {
        put_page(e->use.page);
        return GNTST_general_error;
    }
    e->use.frame = m;
    e->use.start = 0;
    e->use.length = PAGE_SIZE;
    return GNTST_okay;
}

static int hold_grant(struct grant_copy_end *e, domid_t id, grant_ref_t ref)
{
    struct domain *self = current->domain, *d = id == DOMID_SELF ? self : domain_by_id(id);

    if (!d) {
        return GNTST_bad_domain;
    }
    return grant_acquire(d, ref, self->domain_id, e->write, GRANT_HOST,
                         opt_grant_transitive ? GRANT_TRANSITIVE : 0, &e->use);
}

/* Makes e stand for what `p` names, keeping what it holds when that is the same. */
static int end_hold(struct grant_copy_end *e, const struct gnttab_copy_ptr *p, bool by_grant)
{
    uint64_t name = by_grant ? p->u.ref : p->u.gmfn;
    int rc;

    if (e->held && e->by_grant == by_grant && e->name == name && e->domid == p->domid) {
        return GNTST_okay;
    }
    end_drop(e);
    if (!by_grant && p->domid != DOMID_SELF) {
        return GNTST_permission_denied;
    }
    rc = by_grant ? hold_grant(e, p->domid, p->u.ref) : hold_own_frame(e, p->u.gmfn);
    if (rc) {
        return rc;
    }
    e->held = true;
    e->by_grant = by_grant;
    e->name = name;
    e->domid = p->domid;
    return GNTST_okay;
}

static bool inside(const struct grant_copy_end *e, unsigned int offset, unsigned int len)
{
    return offset >= e->use.start && offset + len <= (unsigned int)e->use.start + e->use.length;
}

int grant_copy(struct grant_copy_state *s, const struct gnttab_copy *op)
{
    unsigned int from = op->source.offset, to = op->dest.offset, len = op->len;
    int rc;

    if (from + len > PAGE_SIZE || to + len > PAGE_SIZE) {
        return GNTST_bad_copy_arg;
    }
    s->source.write = false;
    s->dest.write = true;
    rc = end_hold(&s->source, &op->source, op->flags & GNTCOPY_source_gref);
    if (!rc) {
        rc = end_hold(&s->dest, &op->dest, op->flags & GNTCOPY_dest_gref);
    }
    if (!rc && (!inside(&s->source, from, len) || !inside(&s->dest, to, len))) {
        rc = GNTST_general_error;
    }
    if (rc) {
        grant_copy_finish(s);
        return rc;
    }
    TRACE(TRC_HOSPES_GRANT_COPY, current->domain->domain_id, op->source.domid,
          s->source.by_grant ? op->source.u.ref : ~0u, op->dest.domid,
          s->dest.by_grant ? op->dest.u.ref : ~0u, len);
    /* The same page at both ends is allowed, so the ranges may overlap. */
    memmove((char *)mfn_to_virt(s->dest.use.frame) + to,
            (char *)mfn_to_virt(s->source.use.frame) + from, len);
    return GNTST_okay;
}

/* ---- flushing ---- */

/* Is frame m granted to the current domain by `owner` and in use? 0, -EINVAL, -ERESTART. */
static int find_use(struct domain *owner, mfn_t m, grant_ref_t *from)
{
    struct grant_table *gt = owner->grants.table;
    grant_ref_t entries, end;

    LOCKED(&gt->lock);
    entries = grant_nr_entries(gt);
    end = min(entries, *from + GRANT_SEARCH_STEP);
    for (grant_ref_t ref = *from; ref < end; ref++) {
        const struct active_grant *a = grant_active(gt, ref);

        if (grant_in_use(a) && !a->transitive && a->domid == current->domain->domain_id &&
            mfn_eq(a->frame, m)) {
            return 0;
        }
    }
    if (end >= entries) {
        return -EINVAL;
    }
    *from = end;
    return -ERESTART;
}

int grant_cache_flush(const struct gnttab_cache_flush *op, grant_ref_t *from)
{
    mfn_t m = paddr_to_mfn(paddr(op->a.dev_bus_addr));
    unsigned int offset = op->offset, length = op->length;
    struct page_info *pg;
    struct domain *owner;
    int rc = 0;

    if (offset >= PAGE_SIZE || offset + length > PAGE_SIZE ||
        (op->op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN))) {
        return -EINVAL;
    }
    if (length == 0 || op->op == 0) {
        return *from == 0 ? 0 : -EILSEQ;
    }
    if (!mfn_valid(m)) {
        return -EINVAL;
    }
    pg = mfn_to_page(m);
    owner = get_page_owner(pg);
    if (!owner) {
        return -EPERM;
    }
    if (!owner->grants.table) {
        rc = -EPERM;
    } else if (owner != current->domain) {
        rc = find_use(owner, m, from);
    }
    if (!rc && op->op == GNTTAB_CACHE_INVAL) {
        rc = -EOPNOTSUPP; /* this processor can only write back, too */
    } else if (!rc) {
        arch_cache_flush((const char *)mfn_to_virt(m) + offset, length);
    }
    put_page(pg);
    return rc;
}
