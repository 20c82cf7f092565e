/*
 * What xend does to Domain 0 itself: disks and loop devices.
 *
 * host_disk.c is the real one; the unit tests link their own. No shell anywhere: system calls only.
 */
#ifndef XEND_HOST_H
#define XEND_HOST_H

#include "xend/lib/disk.h"
#include "xend/lib/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What makes two paths the same disk: a block device's number, or a file's filesystem and inode. */
struct disk_identity {
    bool block;
    dev_t device;
    ino_t inode;
};

/*
 * Look at a disk's path: it must exist and be what its prefix says. 0 or -errno with the sentence.
 */
int host_disk_identify(const struct disk_spec *disk, struct disk_identity *id, struct error *err);
bool disk_identity_equal(const struct disk_identity *a, const struct disk_identity *b);

/*
 * Is it used by Domain 0 itself in a way that the guest would destroy (or that would surprise the
 * guest): mounted, swap, part of a volume group or RAID, behind a foreign loop device?
 * 0: it is free; -EBUSY with the sentence.
 */
int host_disk_free(const struct disk_spec *disk, const struct disk_identity *id, struct error *err);

/*
 * Make the block device that blkback shall open. For a file that is a new loop device which
 * vanishes by itself when *fd is closed and blkback has let go; for a device *fd is -1.
 * 0 or -errno with the sentence.
 */
int host_disk_open(const struct disk_spec *disk, uint32_t *major, uint32_t *minor, int *fd,
                   struct error *err);

#endif
