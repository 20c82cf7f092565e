/*
 * The table itself: the frames that hypervisor and guest share, their growth, the two versions of
 * their format, and what a manager may ask. See grant_internal.h.
 */
#include <hospes/param.h>
#include "grant_internal.h"
#include <xen/memory.h>

static unsigned int opt_max_frames = 64, opt_max_maptrack = 1024, opt_max_version = 2;
uint_param(gnttab_max_frames, "gnttab_max_frames", opt_max_frames,
           "frames of grant entries that a domain may have at most");
uint_param(gnttab_max_maptrack_frames, "gnttab_max_maptrack_frames", opt_max_maptrack,
           "frames of grant mapping handles that a domain may have at most");

bool opt_grant_transitive = true, opt_grant_transfer = true;

/* One word of the list, n characters. */
static int __init parse_gnttab_word(const char *s, size_t n)
{
    static const struct {
        const char *word;
        bool *var, value;
    } words[] = {{"transitive", &opt_grant_transitive, true},
                 {"no-transitive", &opt_grant_transitive, false},
                 {"transfer", &opt_grant_transfer, true},
                 {"no-transfer", &opt_grant_transfer, false}};

    if (n == 9 && (strncmp(s, "max-ver:1", n) == 0 || strncmp(s, "max-ver:2", n) == 0)) {
        opt_max_version = (unsigned int)(s[8] - '0');
        return 0;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
        if (strlen(words[i].word) == n && strncmp(s, words[i].word, n) == 0) {
            *words[i].var = words[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

static int __init parse_gnttab(const char *s)
{
    int rc = 0;

    for (;;) {
        const char *end = strchr(s, ',');
        int r = parse_gnttab_word(s, end ? (size_t)(end - s) : strlen(s));

        rc = rc ? rc : r;
        if (!end) {
            return rc;
        }
        s = end + 1;
    }
}
custom_param(gnttab, "gnttab", parse_gnttab,
             "max-ver:1 or max-ver:2, [no-]transitive, [no-]transfer: what guests may use");

unsigned int grant_nr_entries(const struct grant_table *gt)
{
    return gt->nr_frames * (unsigned int)(gt->version == 2 ? V2_PER_FRAME : V1_PER_FRAME);
}

/* Active entries for nr frames in the version with the more entries. */
static unsigned int active_frames_for(unsigned int nr)
{
    return (unsigned int)DIV_ROUND_UP(nr * V1_PER_FRAME, ACTIVE_PER_FRAME);
}

static unsigned int status_frames_for(unsigned int nr)
{
    return (unsigned int)DIV_ROUND_UP(nr * V2_PER_FRAME, STATUS_PER_FRAME);
}

/* A frame that the guest may map and write. */
static void *new_shared_frame(struct domain *d)
{
    void *va = alloc_xenheap_pages(0, 0);

    if (va) {
        share_xen_page_with_guest(virt_to_page(va), d, SHARE_RW);
    }
    return va;
}

static int grow_status(struct grant_table *gt, unsigned int nr_frames)
{
    while (gt->nr_status < status_frames_for(nr_frames)) {
        void *va = new_shared_frame(gt->domain);

        if (!va) {
            return -ENOMEM;
        }
        gt->status[gt->nr_status++] = va;
    }
    return 0;
}

/* The table with at least nr frames: 0, -ENOMEM, -EINVAL (over the limit); gt->lock held. What was
 * made before memory ran out stays: it is counted, and serves the next attempt. */
static int grant_grow(struct grant_table *gt, unsigned int nr)
{
    if (nr > gt->max_frames) {
        return -EINVAL;
    }
    while (gt->nr_active < active_frames_for(nr)) {
        struct active_grant *a = alloc_xenheap_pages(0, 0);

        if (!a) {
            return -ENOMEM;
        }
        gt->active[gt->nr_active++] = a;
    }
    if (gt->version == 2 && grow_status(gt, nr)) {
        return -ENOMEM;
    }
    while (gt->nr_frames < nr) {
        void *va = new_shared_frame(gt->domain);

        if (!va) {
            return -ENOMEM;
        }
        gt->shared[gt->nr_frames++] = va;
    }
    return 0;
}

/* ---- life ---- */

int grant_table_init(struct domain *d, unsigned int max_frames, unsigned int max_maptrack,
                     unsigned int max_version)
{
    struct grant_table *gt;
    int rc = -ENOMEM;

    max_frames = max_frames == ~0u ? opt_max_frames : max_frames;
    max_maptrack = max_maptrack == ~0u ? opt_max_maptrack : max_maptrack;
    if (max_version == 0 || max_version > opt_max_version || max_frames == 0 ||
        max_frames > opt_max_frames || max_maptrack > opt_max_maptrack) {
        return -EINVAL;
    }
    gt = xzalloc(struct grant_table);
    if (!gt) {
        return -ENOMEM;
    }
    *gt = (struct grant_table){.domain = d,
                               .version = 1,
                               .max_version = max_version,
                               .max_frames = max_frames,
                               .max_status = status_frames_for(max_frames),
                               .max_maptrack = max_maptrack,
                               .maptrack_free = MAPTRACK_NONE};
    spin_lock_init(&gt->lock, RANK_GRANT_TABLE);
    spin_lock_init(&gt->maptrack_lock, RANK_GRANT_MAPTRACK);
    d->grants.table = gt;
    gt->shared = xzalloc_array(void *, max_frames);
    gt->status = xzalloc_array(grant_status_t *, gt->max_status);
    gt->active = xzalloc_array(struct active_grant *, active_frames_for(max_frames));
    gt->maptrack = max_maptrack ? xzalloc_array(struct maptrack *, max_maptrack) : NULL;
    if (gt->shared && gt->status && gt->active && (gt->maptrack || !max_maptrack)) {
        rc = grant_grow(gt, 1);
    }
    if (rc) {
        grant_table_destroy(d);
    }
    return rc;
}

/* A shared frame goes when the guest has dropped its last mapping too. */
static void free_shared_frame(void *va)
{
    put_page_alloc_ref(virt_to_page(va));
    free_xenheap_pages(va, 0);
}

void grant_table_destroy(struct domain *d)
{
    struct grant_table *gt = d->grants.table;

    if (!gt) {
        return;
    }
    for (unsigned int i = 0; i < gt->nr_frames; i++) {
        free_shared_frame(gt->shared[i]);
    }
    for (unsigned int i = 0; i < gt->nr_status; i++) {
        free_shared_frame(gt->status[i]);
    }
    for (unsigned int i = 0; i < gt->nr_active; i++) {
        free_xenheap_pages(gt->active[i], 0);
    }
    for (unsigned int i = 0; i < gt->nr_maptrack; i++) {
        free_xenheap_pages(gt->maptrack[i], 0);
    }
    xfree(gt->shared);
    xfree(gt->status);
    xfree(gt->active);
    xfree(gt->maptrack);
    xfree(gt);
    d->grants.table = NULL;
}

/* ---- what a manager asks ---- */

int gnttab_get_frame(struct domain *d, unsigned long idx, bool status, mfn_t *out)
{
    struct grant_table *gt = d->grants.table;
    int rc = 0;

    LOCKED(&gt->lock);
    if (status) {
        if (gt->version != 2) {
            return -EINVAL;
        }
        if (idx >= gt->nr_status && idx < gt->max_status) {
            rc = grant_grow(gt, (unsigned int)min((idx + 1) * (STATUS_PER_FRAME / V2_PER_FRAME),
                                                  (unsigned long)gt->max_frames));
        }
        if (rc || idx >= gt->nr_status) {
            return rc ? rc : -EINVAL;
        }
        *out = virt_to_mfn(gt->status[array_index_nospec(idx, gt->nr_status)]);
        return 0;
    }
    if (idx >= gt->nr_frames) {
        rc = idx < gt->max_frames ? grant_grow(gt, (unsigned int)idx + 1) : -EINVAL;
    }
    if (!rc) {
        *out = virt_to_mfn(gt->shared[array_index_nospec(idx, gt->nr_frames)]);
    }
    return rc;
}

unsigned int gnttab_max_frames(const struct domain *d, unsigned int id)
{
    const struct grant_table *gt = d->grants.table;

    switch (id) {
    case XENMEM_resource_grant_table_id_shared:
        return gt->max_frames;
    case XENMEM_resource_grant_table_id_status:
        return gt->version == 2 ? gt->max_status : 0;
    default:
        return 0;
    }
}

void gnttab_sizes(const struct domain *d, unsigned int *nr_frames, unsigned int *max_frames)
{
    const struct grant_table *gt = d->grants.table;

    *nr_frames = READ_ONCE(gt->nr_frames);
    *max_frames = gt->max_frames;
}

unsigned int gnttab_version(const struct domain *d)
{
    return READ_ONCE(d->grants.table->version);
}

/* ---- switching versions ---- */

/* The entries that the builder made for console and store survive a change of version. */
struct reserved_entry {
    uint16_t flags;
    domid_t domid;
    uint32_t frame;
};

static int save_reserved(const struct grant_table *gt, struct reserved_entry *r)
{
    for (grant_ref_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        if (gt->version == 1) {
            const grant_entry_v1_t *e = grant_v1(gt, i);

            r[i] = (struct reserved_entry){READ_ONCE(e->flags), READ_ONCE(e->domid),
                                           READ_ONCE(e->frame)};
            continue;
        }
        const grant_entry_v2_t *e = grant_v2(gt, i);
        uint16_t flags = READ_ONCE(e->hdr.flags);
        uint64_t frame = READ_ONCE(e->full_page.frame);

        r[i] = (struct reserved_entry){0};
        if ((flags & GTF_type_mask) == GTF_transitive ||
            ((flags & GTF_type_mask) == GTF_permit_access && frame >> 32)) {
            return -ERANGE; /* version 1 cannot say this */
        }
        if ((flags & GTF_type_mask) == GTF_permit_access) {
            r[i] = (struct reserved_entry){(uint16_t)(flags | *grant_status_word(gt, i)),
                                           READ_ONCE(e->hdr.domid), (uint32_t)frame};
        }
    }
    return 0;
}

static void restore_reserved(struct grant_table *gt, const struct reserved_entry *r)
{
    for (grant_ref_t i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        if (gt->version == 1) {
            *grant_v1(gt, i) =
                (grant_entry_v1_t){.flags = r[i].flags, .domid = r[i].domid, .frame = r[i].frame};
            continue;
        }
        *grant_status_word(gt, i) = r[i].flags & (GTF_reading | GTF_writing);
        grant_v2(gt, i)->full_page.frame = r[i].frame;
        grant_v2(gt, i)->hdr.domid = r[i].domid;
        grant_v2(gt, i)->hdr.flags = (uint16_t)(r[i].flags & ~(GTF_reading | GTF_writing));
    }
}

static int switch_version(struct grant_table *gt, unsigned int version)
{
    struct reserved_entry reserved[GNTTAB_NR_RESERVED_ENTRIES];
    int rc;

    for (grant_ref_t i = GNTTAB_NR_RESERVED_ENTRIES; i < grant_nr_entries(gt); i++) {
        if (grant_in_use(grant_active(gt, i))) {
            return -EBUSY;
        }
    }
    rc = version == 2 ? grow_status(gt, gt->nr_frames) : 0;
    if (!rc) {
        rc = save_reserved(gt, reserved);
    }
    if (rc) {
        return rc;
    }
    for (unsigned int i = 0; i < gt->nr_frames; i++) {
        clear_page(gt->shared[i]);
    }
    for (unsigned int i = 0; i < gt->nr_status; i++) { /* kept for the next switch to version 2 */
        clear_page(gt->status[i]);
    }
    gt->version = version;
    restore_reserved(gt, reserved);
    return 0;
}

int gnttab_set_version(struct domain *d, unsigned int version)
{
    struct grant_table *gt = d->grants.table;

    if (version != 1 && version != 2) {
        return -EINVAL;
    }
    if (version > gt->max_version) {
        return -ENOSYS; /* as if versions had never been invented */
    }
    LOCKED(&gt->lock);
    return version == gt->version ? 0 : switch_version(gt, version);
}

int gnttab_setup(struct domain *d, unsigned int nr)
{
    struct grant_table *gt = d->grants.table;

    LOCKED(&gt->lock);
    return grant_grow(gt, nr);
}

int gnttab_swap(struct domain *d, grant_ref_t a, grant_ref_t b)
{
    struct grant_table *gt = d->grants.table;

    LOCKED(&gt->lock);
    if (a >= grant_nr_entries(gt) || b >= grant_nr_entries(gt)) {
        return GNTST_bad_gntref;
    }
    if (a == b) {
        return GNTST_okay;
    }
    a = (grant_ref_t)array_index_nospec(a, grant_nr_entries(gt));
    b = (grant_ref_t)array_index_nospec(b, grant_nr_entries(gt));
    if (grant_in_use(grant_active(gt, a)) || grant_in_use(grant_active(gt, b))) {
        return GNTST_eagain;
    }
    if (gt->version == 1) {
        grant_entry_v1_t t = *grant_v1(gt, a);

        *grant_v1(gt, a) = *grant_v1(gt, b);
        *grant_v1(gt, b) = t;
    } else {
        grant_entry_v2_t t = *grant_v2(gt, a);

        *grant_v2(gt, a) = *grant_v2(gt, b);
        *grant_v2(gt, b) = t;
    }
    return GNTST_okay;
}

void grant_table_dump(struct domain *d)
{
    struct grant_table *gt = d->grants.table;

    if (!gt) {
        return;
    }
    LOCKED(&gt->lock);
    printk("d%u: grant table version %u, %u of %u frames\n", d->domain_id, gt->version,
           gt->nr_frames, gt->max_frames);
    for (grant_ref_t i = 0; i < grant_nr_entries(gt); i++) {
        const struct active_grant *a = grant_active(gt, i);

        if (grant_in_use(a)) {
            printk("  %5u d%u frame %#lx host %u/%u device %u/%u (write/read)\n", i, a->domid,
                   (unsigned long)a->frame.v, a->host_write, a->host_read, a->dev_write,
                   a->dev_read);
        }
    }
}
