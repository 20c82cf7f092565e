/*
 * Who uses which disk: a disk has one writer or any number of readers, unless "w!" says otherwise.
 */
#ifndef XEND_DISKS_H
#define XEND_DISKS_H

#include "xend/domain.h"

/*
 * May a domain have these disks? They must exist, Domain 0 must not use them, and no other domain
 * that is up may use them in a way that conflicts. `self` is the domain itself (or NULL). The
 * caller holds the admission's lock. 0 or -errno with the sentence.
 */
int disks_check(struct domain *self, const struct domain_config *cfg, struct error *err);
/* The same for one disk. If `owner` is given its own other disks count too. */
int disks_check_one(struct domain *self, struct domain *owner, const struct disk_spec *disk,
                    struct error *err);

#endif
