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
void grant_table_dump(struct domain *d);

#endif
