/*
 * Grant tables: shared between core/grant_*.c. Read <hospes/grant.h> and <xen/grant_table.h> first.
 *
 *   grant_table.c  the table: frames shared with the guest, growth, versions
 *   grant_entry.c  one entry: what the guest wrote (shared), what is in use of it (active)
 *   grant_map.c    mapping and unmapping, and the handles by which a mapper names its mappings
 *   grant_copy.c   copying; flushing a granted frame out of the caches
 *   grant_transfer.c  giving a frame away
 *
 * The shared entry is the guest's and can change at any time: it is read once, in one access, and
 * what was read is kept in the active entry for as long as anybody uses the grant.
 *
 * Locks: gt->lock (RANK_GRANT_TABLE) of the granting domain protects its entries, sizes and
 * version; gt->maptrack_lock of the mapping domain its handles. No two tables' locks are held at
 * once.
 */
#ifndef CORE_GRANT_INTERNAL_H
#define CORE_GRANT_INTERNAL_H

#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/grant.h>
#include <hospes/lib.h>
#include <hospes/memory.h>

#define V1_PER_FRAME     (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define V2_PER_FRAME     (PAGE_SIZE / sizeof(grant_entry_v2_t))
#define STATUS_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))

/* How an entry is in use now. All counts 0: not at all, and the rest is meaningless. */
struct active_grant {
    uint16_t host_write, host_read; /* mapped by CPUs, or being copied */
    uint16_t dev_write, dev_read;   /* mapped for devices */
    domid_t domid;                  /* to whom */
    uint16_t start, length;         /* the part of the page that is granted */
    bool sub_page;
    bool transitive; /* leads to a grant of another domain; each use follows it anew: no frame */
    mfn_t frame;
};
#define GRANT_COUNT_MAX                                                      \
    0xff00u /* a guest may map one grant that often; the counters never wrap \
             */
#define ACTIVE_PER_FRAME (PAGE_SIZE / sizeof(struct active_grant))

/* One mapping of another domain's grant; its index is the handle. flags 0: free. */
struct maptrack {
    grant_ref_t ref; /* free: index of the next free one */
    domid_t domid;
    uint16_t flags; /* GNTMAP_host_map, _device_map, _readonly, _contains_pte */
};
#define MAPTRACK_PER_FRAME (PAGE_SIZE / sizeof(struct maptrack))
#define MAPTRACK_NONE      (~0u)

struct grant_table {
    struct domain *domain;
    spinlock_t lock;
    unsigned int version, max_version;
    unsigned int nr_frames, max_frames;
    unsigned int nr_status, max_status;
    void **shared;           /* frames of entries */
    grant_status_t **status; /* version 2: frames of "in use" words */
    struct active_grant **active;
    unsigned int nr_active; /* frames of them */

    spinlock_t maptrack_lock;
    struct maptrack **maptrack;
    unsigned int nr_maptrack, max_maptrack; /* frames */
    uint32_t maptrack_free;                 /* first free handle, MAPTRACK_NONE */
    uint32_t release_next;                  /* a dying domain's unmapping goes on here */
};

/* ---- grant_table.c; gt->lock held ---- */
unsigned int grant_nr_entries(const struct grant_table *gt);
static inline grant_entry_v1_t *grant_v1(const struct grant_table *gt, grant_ref_t ref)
{
    return (grant_entry_v1_t *)gt->shared[ref / V1_PER_FRAME] + ref % V1_PER_FRAME;
}
static inline grant_entry_v2_t *grant_v2(const struct grant_table *gt, grant_ref_t ref)
{
    return (grant_entry_v2_t *)gt->shared[ref / V2_PER_FRAME] + ref % V2_PER_FRAME;
}
static inline grant_status_t *grant_status_word(const struct grant_table *gt, grant_ref_t ref)
{
    return gt->status[ref / STATUS_PER_FRAME] + ref % STATUS_PER_FRAME;
}
static inline struct active_grant *grant_active(const struct grant_table *gt, grant_ref_t ref)
{
    return &gt->active[ref / ACTIVE_PER_FRAME][ref % ACTIVE_PER_FRAME];
}
static inline bool grant_in_use(const struct active_grant *a)
{
    return a->host_write || a->host_read || a->dev_write || a->dev_read;
}

/* ---- grant_entry.c ---- */
/* What a caller wants of grant_acquire. */
#define GRANT_WHOLE_PAGE 1u       /* mapping: sub-page grants are no use */
#define GRANT_TRANSITIVE 2u       /* copying: a transitive grant may be followed, once */
extern bool opt_grant_transitive; /* gnttab=no-transitive */
/* Uses grant `ref` of `granter` on behalf of `user`: GNTST_okay, or the GNTST_ error that the user
 * is told. */
int grant_acquire(struct domain *granter, grant_ref_t ref, domid_t user, bool write,
                  enum grant_use_kind kind, unsigned int want, struct grant_use *use) __must_check;
void grant_release(const struct grant_use *use);

#endif
