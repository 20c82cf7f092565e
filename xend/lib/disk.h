/*
 * One disk of a guest: the three ways to write it in a configuration, and its device number.
 *
 *     'phy:/dev/vg/web,xvda,w'            classic: what, as what, how (r, w, or w! to share it)
 *     'file:/srv/web.img,xvda1,r'
 *     'format=raw, vdev=xvda, access=rw, target=/srv/web.img'      key=value
 *     '/srv/web.img, raw, xvda, rw'                                the same by position
 */
#ifndef XEND_LIB_DISK_H
#define XEND_LIB_DISK_H

#include "xend/lib/error.h"

#include <stdbool.h>
#include <stdint.h>

enum disk_kind {
    DISK_PHY,  /* a block device of the backend's domain */
    DISK_FILE, /* a raw image file, served through a loop device */
    DISK_AUTO, /* a path without a prefix: its kind is what the path is */
};

struct disk_spec {
    enum disk_kind kind;
    char *path;
    char *dev;     /* "xvda1", as the guest will see it */
    uint32_t vdev; /* the same as xenbus' virtual-device number */
    bool readonly;
    bool shared; /* "w!": other writers are none of our business */
    bool cdrom;
    char *backend; /* name or id of the backend's domain; NULL: Domain 0 */
};

/* Read one of the three forms. On success the caller ends with disk_finish(). 0 or -EINVAL */
int disk_parse(const char *text, struct disk_spec *disk, struct error *err);
/* From the fields of the classic device ['vbd', ['uname', ..], ['dev', ..], ['mode', ..]]. */
int disk_from_fields(const char *uname, const char *dev, const char *mode, const char *backend,
                     struct disk_spec *disk, struct error *err);
void disk_finish(struct disk_spec *disk);
void disk_copy(struct disk_spec *to, const struct disk_spec *from);

/* "phy:/dev/vg/web"; the caller frees it. */
char *disk_uname(const struct disk_spec *disk);
/* "r", "w" or "w!" */
const char *disk_mode(const struct disk_spec *disk);

/*
 * The number xenbus gives a disk of that name ("xvda" is 51712). Takes also a plain number.
 * Returns 0, or -EINVAL for a name that is none.
 */
int disk_number(const char *dev, uint32_t *vdev);

#endif
