/*
 * Mapping grants into the current domain, and unmapping them. A mapping is named by a handle, the
 * index of its maptrack entry. Unmapping first claims the parts of the mapping that it ends, under
 * the maptrack lock, so that two vcpus with the same handle cannot both end it; references are
 * dropped only after every TLB has forgotten the translation. A mapping holds a reference to its
 * granter: the page's own goes when the guest overwrites the entry, and then the granter's number
 * must not become another domain's as long as the handle names it. See grant_internal.h.
 */
#include <hospes/hypercall.h>
#include <hospes/trace.h>
#include "grant_internal.h"

#define MAPPED ((unsigned int)(GNTMAP_host_map | GNTMAP_device_map))
/* In maptrack.flags: the same parts while a vcpu is ending them (its flag is shifted). */
#define ENDING_SHIFT 8
#define ENDING       (MAPPED << ENDING_SHIFT)

/* ---- handles; maptrack_lock held ---- */

static struct maptrack *maptrack_entry(const struct grant_table *gt, uint32_t handle)
{
    return &gt->maptrack[handle / MAPTRACK_PER_FRAME][handle % MAPTRACK_PER_FRAME];
}

static uint32_t maptrack_limit(const struct grant_table *gt)
{
    return gt->nr_maptrack * (uint32_t)MAPTRACK_PER_FRAME;
}

static bool maptrack_grow(struct grant_table *gt)
{
    struct maptrack *m = gt->nr_maptrack < gt->max_maptrack ? alloc_xenheap_pages(0, 0) : NULL;
    uint32_t first = maptrack_limit(gt);

    if (!m) {
        return false;
    }
    for (uint32_t i = 0; i < MAPTRACK_PER_FRAME; i++) {
        m[i].ref = i + 1 < MAPTRACK_PER_FRAME ? first + i + 1 : gt->maptrack_free;
    }
    gt->maptrack[gt->nr_maptrack++] = m;
    gt->maptrack_free = first;
    return true;
}

static uint32_t handle_get(struct grant_table *gt)
{
    uint32_t handle;

    LOCKED(&gt->maptrack_lock);
    if (gt->maptrack_free == MAPTRACK_NONE && !maptrack_grow(gt)) {
        return MAPTRACK_NONE;
    }
    handle = gt->maptrack_free;
    gt->maptrack_free = maptrack_entry(gt, handle)->ref;
    return handle;
}

static void handle_put_locked(struct grant_table *gt, uint32_t handle)
{
    struct maptrack *m = maptrack_entry(gt, handle);

    m->flags = 0;
    m->ref = gt->maptrack_free;
    gt->maptrack_free = handle;
}

static void handle_put(struct grant_table *gt, uint32_t handle)
{
    LOCKED(&gt->maptrack_lock);
    handle_put_locked(gt, handle);
}

/* ---- mapping ---- */

/* The uses that a mapping with these flags is made of: one for CPUs, one for devices. */
struct uses {
    struct grant_use use[2];
    unsigned int nr;
};

static int acquire_uses(struct uses *u, struct domain *rd, const struct gnttab_map_grant_ref *op)
{
    static const struct {
        unsigned int flag;
        enum grant_use_kind kind;
    } kinds[] = {{GNTMAP_host_map, GRANT_HOST}, {GNTMAP_device_map, GRANT_DEVICE}};
    domid_t user = current->domain->domain_id;
    int rc = GNTST_okay;

    u->nr = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds) && !rc; i++) {
        if (!(op->flags & kinds[i].flag)) {
            continue;
        }
        rc = grant_acquire(rd, op->ref, user, !(op->flags & GNTMAP_readonly), kinds[i].kind,
                           GRANT_WHOLE_PAGE, &u->use[u->nr]);
        u->nr += rc == GNTST_okay;
    }
    return rc;
}

static void release_uses(const struct uses *u)
{
    for (unsigned int i = 0; i < u->nr; i++) {
        grant_release(&u->use[i]);
    }
}

static int map_with_handle(struct gnttab_map_grant_ref *op, struct domain *rd, uint32_t handle)
{
    struct grant_table *lgt = current->domain->grants.table;
    struct maptrack *m;
    struct uses u;
    int rc = acquire_uses(&u, rd, op);

    if (!rc && (op->flags & GNTMAP_host_map)) {
        rc = arch_grant_map(op->host_addr, u.use[0].frame, op->flags, 0);
    }
    if (rc) {
        release_uses(&u);
        return rc;
    }
    TRACE(TRC_MEM_PAGE_GRANT_MAP, op->dom, op->ref, (uint32_t)u.use[0].frame.v, op->flags,
          current->domain->domain_id);
    op->dev_bus_addr = mfn_to_paddr(u.use[0].frame).v;
    op->handle = handle;
    LOCKED(&lgt->maptrack_lock);
    m = maptrack_entry(lgt, handle);
    m->domid = op->dom;
    m->ref = op->ref;
    m->flags = (uint16_t)(op->flags & (MAPPED | GNTMAP_readonly | GNTMAP_contains_pte));
    return GNTST_okay;
}

void grant_map(struct gnttab_map_grant_ref *op)
{
    struct domain *ld = current->domain, *rd;
    uint32_t handle;

    if (!(op->flags & MAPPED)) {
        op->status = GNTST_bad_gntref;
        return;
    }
    if (ld->is_hvm &&
        (op->flags & (GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte))) {
        op->status = GNTST_general_error;
        return;
    }
    rd = domain_by_id(op->dom);
    if (!rd || !get_domain(rd)) {
        op->status = GNTST_bad_domain;
        return;
    }
    handle = handle_get(ld->grants.table);
    op->status = handle == MAPTRACK_NONE ? (int16_t)GNTST_no_space
                                         : (int16_t)map_with_handle(op, rd, handle);
    if (op->status != GNTST_okay) {
        if (handle != MAPTRACK_NONE) {
            handle_put(ld->grants.table, handle);
        }
        put_domain(rd);
    }
}

/* ---- unmapping ---- */

/* Takes the parts `want` (GNTMAP_host_map, _device_map) out of a mapping: the caller alone ends
 * them. The handle, and with it the granter, stays until every part that is being ended has been;
 * who got no part at all has nothing that keeps either. */
static bool claim(struct grant_table *lgt, uint32_t handle, unsigned int want,
                  struct maptrack *claimed)
{
    struct maptrack *m;

    LOCKED(&lgt->maptrack_lock);
    if (handle >= maptrack_limit(lgt)) {
        return false;
    }
    m = maptrack_entry(lgt, (uint32_t)array_index_nospec(handle, maptrack_limit(lgt)));
    if (!(m->flags & MAPPED)) {
        return false;
    }
    *claimed = *m;
    claimed->flags &= (uint16_t)(want | ~MAPPED);
    m->flags &= (uint16_t) ~(want & MAPPED);
    m->flags |= (uint16_t)((claimed->flags & MAPPED) << ENDING_SHIFT);
    return true;
}

/* The claimed parts have been ended, or (failed) are put back. True: no part is left, the handle is
 * free, and the reference to the granter is the caller's. */
static bool unclaim(struct grant_table *lgt, uint32_t handle, unsigned int claimed, bool failed)
{
    unsigned int parts = claimed & MAPPED;
    struct maptrack *m;

    LOCKED(&lgt->maptrack_lock);
    m = maptrack_entry(lgt, handle);
    m->flags &= (uint16_t) ~(parts << ENDING_SHIFT);
    m->flags |= (uint16_t)(failed ? parts : 0);
    if ((m->flags & (MAPPED | ENDING)) != 0) {
        return false;
    }
    handle_put_locked(lgt, handle);
    return true;
}

/* The frame behind a grant that the caller has in use. */
static mfn_t frame_in_use(struct domain *rd, grant_ref_t ref)
{
    struct grant_table *gt = rd->grants.table;

    LOCKED(&gt->lock);
    return grant_active(gt, ref)->frame;
}

static void add_use(struct grant_unmap *u, struct domain *rd, const struct maptrack *m, mfn_t frame,
                    enum grant_use_kind kind)
{
    u->use[u->nr_uses++] = (struct grant_use){.granter = rd,
                                              .ref = m->ref,
                                              .write = !(m->flags & GNTMAP_readonly),
                                              .kind = kind,
                                              .frame = frame,
                                              .page = mfn_valid(frame) ? mfn_to_page(frame) : NULL};
}

static int end_parts(struct grant_unmap *u, struct domain *rd, struct maptrack *m)
{
    mfn_t frame = frame_in_use(rd, m->ref);
    int rc;

    if ((m->flags & GNTMAP_device_map) && u->dev_bus_addr != mfn_to_paddr(frame).v) {
        return GNTST_bad_dev_addr;
    }
    if (m->flags & GNTMAP_host_map) {
        rc = arch_grant_unmap(u->host_addr, frame, u->new_addr, m->flags);
        if (rc) {
            return rc;
        }
        add_use(u, rd, m, frame, GRANT_HOST);
    }
    if (m->flags & GNTMAP_device_map) {
        add_use(u, rd, m, frame, GRANT_DEVICE);
    }
    return GNTST_okay;
}

int grant_unmap(struct grant_unmap *u)
{
    struct grant_table *lgt = current->domain->grants.table;
    unsigned int want =
        (u->host_addr ? GNTMAP_host_map : 0u) | (u->dev_bus_addr ? GNTMAP_device_map : 0u);
    struct maptrack m;
    struct domain *rd;
    int rc;

    u->nr_uses = 0;
    if (!claim(lgt, u->handle, want, &m)) {
        return GNTST_bad_handle;
    }
    if (!(m.flags & MAPPED)) {
        return GNTST_okay; /* nothing was asked for that the mapping has */
    }
    rd = domain_by_id(m.domid); /* kept by the mapping's reference */
    rc = end_parts(u, rd, &m);
    TRACE(TRC_MEM_PAGE_GRANT_UNMAP, m.domid, m.ref, u->nr_uses ? (uint32_t)u->use[0].frame.v : ~0u,
          m.flags, current->domain->domain_id);
    if (unclaim(lgt, u->handle, m.flags, rc != GNTST_okay)) {
        put_domain(rd); /* until this CPU's next quiet point it is still there */
    }
    return rc;
}

void grant_unmap_finish(struct grant_unmap *u, unsigned int nr)
{
    arch_grant_flush(current->domain);
    for (unsigned int i = 0; i < nr; i++) {
        for (unsigned int j = 0; j < u[i].nr_uses; j++) {
            grant_release(&u[i].use[j]);
        }
    }
}

/* ---- the end of a domain ---- */

/* A dying domain's mapping: its page tables drop the page references of CPU mappings themselves. */
static void release_mapping(struct domain *d, struct maptrack *m)
{
    struct domain *rd = domain_by_id(m->domid);
    struct grant_unmap u = {.nr_uses = 0};
    mfn_t frame = frame_in_use(rd, m->ref);

    if (m->flags & GNTMAP_host_map) {
        add_use(&u, rd, m, frame, GRANT_HOST);
        if (!d->is_hvm) {
            u.use[0].page = NULL;
        }
    }
    if (m->flags & GNTMAP_device_map) {
        add_use(&u, rd, m, frame, GRANT_DEVICE);
    }
    for (unsigned int i = 0; i < u.nr_uses; i++) {
        grant_release(&u.use[i]);
    }
    put_domain(rd);
}

int grant_table_release_mappings(struct domain *d)
{
    struct grant_table *gt = d->grants.table;

    if (!gt) {
        return 0;
    }
    for (; gt->release_next < maptrack_limit(gt); gt->release_next++) {
        struct maptrack *m = maptrack_entry(gt, gt->release_next);

        if (m->flags & MAPPED) {
            release_mapping(d, m);
            handle_put(gt, gt->release_next);
        }
        if (gt->release_next % 64 == 63 && hypercall_preempt_check()) {
            gt->release_next++;
            return -ERESTART;
        }
    }
    return 0;
}
