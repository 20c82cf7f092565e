/*
 * Grant tables, version 1 and 2: how a domain lets another map or copy single frames of its own.
 * core/grant*.c; mapping into a page table is the architecture's (arch.h: arch_grant_map).
 */
#ifndef HOSPES_GRANT_H
#define HOSPES_GRANT_H

#include <hospes/types.h>
#include <xen/grant_table.h>

struct grant_table;
struct domain_grants {
    struct grant_table *table;
};

int grant_table_init(struct domain *d, unsigned int max_frames, unsigned int max_maptrack,
                     unsigned int max_version) __must_check;
/* Unmaps all that d has mapped of others; preemptible: -ERESTART. */
int grant_table_release_mappings(struct domain *d) __must_check;
void grant_table_destroy(struct domain *d);
/* For XENMEM_add_to_physmap(grant_table) and acquire_resource: the frame of index idx (grows the
 * table). status: the status frames of version 2. -EINVAL, -ENOMEM. */
int gnttab_get_frame(struct domain *d, unsigned long idx, bool status, mfn_t *out) __must_check;
/* How many frames it may ever have: id is XENMEM_resource_grant_table_id_*; 0: no such id. */
unsigned int gnttab_max_frames(const struct domain *d, unsigned int id);
void gnttab_sizes(const struct domain *d, unsigned int *nr_frames, unsigned int *max_frames);
unsigned int gnttab_version(const struct domain *d);

/* ---- the operations of grant_table_op; results are GNTST_* unless said otherwise ---- */
/* At least nr frames: 0, -ENOMEM, -EINVAL (over the limit). */
int gnttab_setup(struct domain *d, unsigned int nr) __must_check;
/* 0, -EINVAL (no such version), -ENOSYS (not allowed), -EBUSY (grants in use), -ERANGE, -ENOMEM. */
int gnttab_set_version(struct domain *d, unsigned int version) __must_check;
int gnttab_swap(struct domain *d, grant_ref_t a, grant_ref_t b) __must_check;

/* A use of a grant: counted in the granter's active entry, with a reference (and, for writing, a
 * type reference) of the page. */
enum grant_use_kind { GRANT_HOST, GRANT_DEVICE };
struct grant_use {
    struct domain *granter;
    grant_ref_t ref;
    bool write;
    enum grant_use_kind kind;
    mfn_t frame;
    struct page_info *page; /* NULL: its reference is not this use's to drop */
    uint16_t start, length;
    struct domain *via; /* a transitive grant: whose entry via_ref leads here; else NULL */
    grant_ref_t via_ref;
};

/* Maps into the current domain; fills handle, dev_bus_addr and status. */
void grant_map(struct gnttab_map_grant_ref *op);

/* Unmapping is two steps: grant_unmap for each, then grant_unmap_finish for all of a batch, which
 * flushes TLBs once and drops the references. Every grant_unmap must be followed by its finish. */
struct grant_unmap {
    uint64_t host_addr, dev_bus_addr,
        new_addr; /* 0: leaves that part alone; new_addr: unmap_and_replace */
    uint32_t handle;
    unsigned int nr_uses;
    struct grant_use use[2];
};
int grant_unmap(struct grant_unmap *u) __must_check;
void grant_unmap_finish(struct grant_unmap *u, unsigned int nr);

/* Copies; the state (zero at first) carries held pages from one to the next, until the finish. */
struct grant_copy_end {
    bool held, by_grant, write;
    domid_t domid;
    uint64_t name; /* grant reference or frame */
    struct grant_use use;
};
struct grant_copy_state {
    struct grant_copy_end source, dest;
};
int grant_copy(struct grant_copy_state *s, const struct gnttab_copy *op) __must_check;
void grant_copy_finish(struct grant_copy_state *s);

/* Gives a frame of the current domain away; -EOPNOTSUPP for all of it: gnttab=no-transfer. */
extern bool opt_grant_transfer;
int grant_transfer(const struct gnttab_transfer *op) __must_check;

#define GRANT_SEARCH_STEP 4096u /* *from is a multiple of it */
/*
 * Flushes a part of a frame, of the caller's own or granted to it and in use, out of this CPU's
 * caches. 0, -errno, or -ERESTART: the search for the grant goes on at *from (0 at first).
 */
int grant_cache_flush(const struct gnttab_cache_flush *op, grant_ref_t *from) __must_check;

void grant_table_dump(struct domain *d);

#endif
