/*
 * One grant: taking and ending uses of it. The guest learns of uses by GTF_reading and GTF_writing,
 * in its entry (version 1) or in a status word beside it (version 2), and must not take a grant
 * back while they are set. See grant_internal.h.
 */
#include <hospes/page_inline.h>
#include "grant_internal.h"

/* What a shared entry said, read in one go. */
struct shared_view {
    uint16_t flags;
    domid_t domid;
};

static struct shared_view read_header(const void *entry)
{
    uint32_t raw = __atomic_load_n((const uint32_t *)entry, __ATOMIC_ACQUIRE);

    return (struct shared_view){.flags = (uint16_t)raw, .domid = (domid_t)(raw >> 16)};
}
_Static_assert(offsetof(grant_entry_v1_t, flags) == 0 && offsetof(grant_entry_v1_t, domid) == 2 &&
                   sizeof(grant_entry_header_t) == 4,
               "flags and domid are one word in both versions");

/* May `user` use an entry that says this? Types other than permit_access are the caller's to sort
 * out. */
static int check_header(struct shared_view h, domid_t user, bool write)
{
    if ((h.flags & GTF_type_mask) == GTF_invalid || h.domid != user) {
        return GNTST_general_error;
    }
    return write && (h.flags & GTF_readonly) ? GNTST_general_error : GNTST_okay;
}

/* Version 1: sets reading (and writing) in the entry itself, if it still says what it must. */
static int mark_v1(struct grant_table *gt, grant_ref_t ref, domid_t user, bool write)
{
    uint32_t *raw = (uint32_t *)(void *)grant_v1(gt, ref);

    for (unsigned int attempt = 0; attempt < 5;
         attempt++) { /* the guest changes it all the time? */
        uint32_t old = __atomic_load_n(raw, __ATOMIC_ACQUIRE);
        struct shared_view h = {.flags = (uint16_t)old, .domid = (domid_t)(old >> 16)};

        if (check_header(h, user, write) || (h.flags & GTF_type_mask) != GTF_permit_access) {
            return GNTST_general_error;
        }
        if (__atomic_compare_exchange_n(raw, &old, old | GTF_reading | (write ? GTF_writing : 0u),
                                        false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
            return GNTST_okay;
        }
    }
    return GNTST_general_error;
}

/* Version 2: the status word says "in use" first, then the entry is looked at again: a guest that
 * takes it back does it in the other order, so one of the two sees the other. */
static int mark_v2(struct grant_table *gt, grant_ref_t ref, domid_t user, bool write)
{
    grant_status_t *status = grant_status_word(gt, ref);
    grant_status_t bits = (grant_status_t)(GTF_reading | (write ? GTF_writing : 0)), old;
    int rc = check_header(read_header(grant_v2(gt, ref)), user, write);

    if (rc) {
        return rc;
    }
    old = __atomic_fetch_or(status, bits, __ATOMIC_SEQ_CST);
    rc = check_header(read_header(grant_v2(gt, ref)), user, write);
    if (rc) {
        __atomic_fetch_and(status, (grant_status_t) ~(bits & ~old), __ATOMIC_SEQ_CST);
    }
    return rc;
}

static void clear_marks(struct grant_table *gt, grant_ref_t ref, uint16_t bits)
{
    if (gt->version == 1) {
        __atomic_fetch_and(&grant_v1(gt, ref)->flags, (uint16_t)~bits, __ATOMIC_SEQ_CST);
    } else {
        __atomic_fetch_and(grant_status_word(gt, ref), (grant_status_t)~bits, __ATOMIC_SEQ_CST);
    }
}

/* The guest is told what has just ended. */
static void update_marks(struct grant_table *gt, grant_ref_t ref, const struct active_grant *a)
{
    uint16_t bits = 0;

    if (!a->host_write && !a->dev_write) {
        bits |= GTF_writing;
    }
    if (!grant_in_use(a)) {
        bits |= GTF_reading;
    }
    if (bits) {
        clear_marks(gt, ref, bits);
    }
}

/* The guest frame that the entry names, and which part of it. */
static int read_target(struct grant_table *gt, grant_ref_t ref, uint64_t *frame,
                       struct active_grant *a)
{
    a->start = 0;
    a->length = PAGE_SIZE;
    a->sub_page = a->transitive = false;
    if (gt->version == 1) {
        *frame = READ_ONCE(grant_v1(gt, ref)->frame);
        return GNTST_okay;
    }
    grant_entry_v2_t *e = grant_v2(gt, ref);
    uint16_t flags = read_header(e).flags;

    if ((flags & GTF_type_mask) != GTF_permit_access) {
        return GNTST_general_error;
    }
    if (!(flags & GTF_sub_page)) {
        *frame = READ_ONCE(e->full_page.frame);
        return GNTST_okay;
    }
    *frame = READ_ONCE(e->sub_page.frame);
    a->start = READ_ONCE(e->sub_page.page_off);
    a->length = READ_ONCE(e->sub_page.length);
    a->sub_page = true;
    return a->start < PAGE_SIZE && a->length <= PAGE_SIZE - a->start ? GNTST_okay
                                                                     : GNTST_general_error;
}

/* A reference, and for writing a type reference, of the page. Only RAM can be granted: device
 * memory has no counts that would keep the granter alive as long as a mapping. */
static __always_inline int take_page(struct domain *d, mfn_t frame, bool write,
                                     struct page_info **out)
{
    struct page_info *pg = mfn_valid(frame) ? mfn_to_page(frame) : NULL;

    *out = NULL;
    if (!pg || !get_page_inline(pg, d)) {
        return GNTST_bad_page;
    }
    if (write && get_page_type_inline(pg, PGT_WRITABLE, false)) {
        put_page(pg);
        return GNTST_general_error;
    }
    *out = pg;
    return GNTST_okay;
}

static void drop_page(struct page_info *pg, bool write)
{
    if (!pg) {
        return;
    }
    if (write) {
        put_page_and_type_inline(pg);
    } else {
        put_page_inline(pg);
    }
}

static uint16_t *counter(struct active_grant *a, bool write, enum grant_use_kind kind)
{
    if (kind == GRANT_HOST) {
        return write ? &a->host_write : &a->host_read;
    }
    return write ? &a->dev_write : &a->dev_read;
}

/* The first use: everything about the grant is read and kept. */
static int activate(struct grant_table *gt, grant_ref_t ref, domid_t user, struct active_grant *a)
{
    struct page_info *pg;
    uint64_t frame;
    mfn_t m;
    int rc = read_target(gt, ref, &frame, a);

    if (rc) {
        return rc;
    }
    a->domid = user;
    if (get_guest_frame(gt->domain, gfn(frame), false, &pg, &m)) {
        return GNTST_bad_page;
    }
    a->frame = m;
    put_page(pg); /* each use takes its own */
    return GNTST_okay;
}

/* Where a transitive grant leads to. */
struct target {
    bool follow;
    domid_t domid;
    grant_ref_t ref;
};

/* The first use of an entry that is a transitive grant, or one more. */
static int read_transitive(struct grant_table *gt, unsigned int want, struct grant_use *use,
                           struct active_grant *a, struct target *t)
{
    const grant_entry_v2_t *e = grant_v2(gt, use->ref);

    t->follow = true;
    t->domid = READ_ONCE(e->transitive.trans_domid);
    t->ref = READ_ONCE(e->transitive.gref);
    if (!(want & GRANT_TRANSITIVE) || t->domid == gt->domain->domain_id) {
        return GNTST_general_error;
    }
    a->transitive = true;
    return GNTST_okay;
}

static bool is_transitive(struct grant_table *gt, grant_ref_t ref)
{
    return gt->version == 2 &&
           (read_header(grant_v2(gt, ref)).flags & GTF_type_mask) == GTF_transitive;
}

/* The page behind an entry that leads nowhere else; the first use reads which one it is. */
static int use_page(struct grant_table *gt, unsigned int want, domid_t user, bool first,
                    struct grant_use *use)
{
    struct active_grant *a = grant_active(gt, use->ref);
    int rc = first ? activate(gt, use->ref, user, a) : GNTST_okay;

    if (!rc && (want & GRANT_WHOLE_PAGE) && a->sub_page) {
        rc = GNTST_general_error;
    }
    if (!rc) {
        rc = take_page(gt->domain, a->frame, use->write, &use->page);
    }
    if (!rc) {
        use->frame = a->frame;
        use->start = a->start;
        use->length = a->length;
    }
    return rc;
}

/* gt->lock held. */
static int acquire_locked(struct grant_table *gt, unsigned int want, domid_t user,
                          struct grant_use *use, struct target *t)
{
    grant_ref_t ref = use->ref;
    struct active_grant *a = grant_active(gt, ref);
    uint16_t *count = counter(a, use->write, use->kind);
    bool first = !grant_in_use(a), transitive = is_transitive(gt, ref);
    int rc = GNTST_okay;

    if (!first && (a->domid != user || *count >= GRANT_COUNT_MAX || a->transitive != transitive)) {
        return GNTST_general_error;
    }
    if (first || (use->write && !a->host_write && !a->dev_write)) {
        rc = gt->version == 1 ? mark_v1(gt, ref, user, use->write)
                              : mark_v2(gt, ref, user, use->write);
    }
    if (rc) {
        return rc;
    }
    rc = transitive ? read_transitive(gt, want, use, a, t) : use_page(gt, want, user, first, use);
    if (rc) {
        update_marks(gt, ref, a);
        return rc;
    }
    a->domid = user;
    ++*count;
    return GNTST_okay;
}

static void release_entry(struct domain *granter, grant_ref_t ref, bool write,
                          enum grant_use_kind kind)
{
    struct grant_table *gt = granter->grants.table;
    struct active_grant *a;

    LOCKED(&gt->lock);
    a = grant_active(gt, ref);
    --*counter(a, write, kind);
    update_marks(gt, ref, a);
}

/* Uses the entry alone, wherever it leads. */
static int acquire_entry(struct domain *granter, grant_ref_t ref, domid_t user, unsigned int want,
                         struct grant_use *use, struct target *t)
{
    struct grant_table *gt = granter->grants.table;
    unsigned int entries;

    if (!gt) {
        return GNTST_bad_domain;
    }
    LOCKED(&gt->lock);
    entries = grant_nr_entries(gt);
    if (ref >= entries) {
        return GNTST_bad_gntref;
    }
    use->granter = granter;
    use->ref = (grant_ref_t)array_index_nospec(ref, entries);
    return acquire_locked(gt, want, user, use, t);
}

/*
 * A transitive grant: the use of the entry is counted there, and that of the grant that it leads
 * to, which must be for the first granter, in the other table. No two tables are locked at once;
 * what the entry said when it was read holds for this use.
 */
static int follow(const struct target *t, struct grant_use *use)
{
    struct domain *through = use->granter, *d = domain_by_id(t->domid);
    struct target none = {.follow = false};
    grant_ref_t ref = use->ref;
    int rc = !d ? GNTST_general_error : acquire_entry(d, t->ref, through->domain_id, 0, use, &none);

    if (rc) {
        release_entry(through, ref, use->write, use->kind);
        return rc;
    }
    use->via = through;
    use->via_ref = ref;
    return GNTST_okay;
}

int grant_acquire(struct domain *granter, grant_ref_t ref, domid_t user, bool write,
                  enum grant_use_kind kind, unsigned int want, struct grant_use *use)
{
    struct target t = {.follow = false};
    int rc;

    use->write = write; /* the rest is set where the entry is read, or nobody looks at it */
    use->kind = kind;
    use->via = NULL;
    rc = acquire_entry(granter, ref, user, want, use, &t);
    return rc || !t.follow ? rc : follow(&t, use);
}

void grant_release(const struct grant_use *use)
{
    drop_page(use->page, use->write);
    release_entry(use->granter, use->ref, use->write, use->kind);
    if (use->via) {
        release_entry(use->via, use->via_ref, use->write, use->kind);
    }
}
