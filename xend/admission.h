/*
 * Admission: what is checked before a domain is touched, all at once.
 *
 * Names, UUIDs, disks and memory are looked at under one lock together with the domain's entry into
 * the list, so that of two domains that ask for the same thing at the same time one is told so.
 */
#ifndef XEND_ADMISSION_H
#define XEND_ADMISSION_H

#include "xend/domain.h"

/*
 * May a domain with this record exist? Name and UUID are free (also in the hypervisor). If so it
 * becomes known, with one reference for the caller. If `start`, also: its disks are free and its
 * memory is there, which is then reserved for it. 0 or -errno with the sentence.
 */
int admission_enter(struct session *s, const struct record *rec, bool start, struct domain **out,
                    struct error *err);

/* May a known domain start now? Disks and memory, as above. */
int admission_start(struct session *s, struct domain *d, struct error *err);

/* May a disk be added to a domain? If so it is in d's configuration afterwards. */
int admission_disk(struct domain *d, const struct disk_spec *disk, struct error *err);

/* The memory is taken, or no longer wanted. */
void admission_release(struct domain *d);

/* Is a name free? For renaming; the caller holds no lock. 0 or -EEXIST */
int admission_rename(struct session *s, struct domain *d, const char *name, struct error *err);

/* KiB that could be given to a new domain now. 0 or -errno */
int admission_free_kib(struct session *s, uint64_t *kib, struct error *err);

#endif
