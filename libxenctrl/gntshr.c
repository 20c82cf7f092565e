/*
 * gntshr.c: sharing own pages through /dev/xen/gntalloc.
 *
 * Read private.h first. A page's grant is given up as soon as the page is mapped, so that the
 * driver frees both when the mapping goes, also when we die.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "libxenctrl/private.h"
#include <xen/gntalloc.h>

struct xc_gntshr {
    int fd;
    char error[XC_ERROR_SIZE];
};

int xc_gntshr_open(struct xc_gntshr **out, char *why, size_t why_size)
{
    struct xc_gntshr *s = calloc(1, sizeof(*s));
    int rc;

    *out = NULL;
    if (s == NULL) {
        xc_explain(why, why_size, "There is no memory left.");
        return -ENOMEM;
    }
    s->fd = xc_sys->open("/dev/xen/gntalloc", O_RDWR);
    if (s->fd < 0) {
        rc = -errno;
        free(s);
        xc_explain(why, why_size,
                   rc == -EACCES ? "/dev/xen/gntalloc can't be opened: this needs root."
                                 : "/dev/xen/gntalloc isn't there: either this system does not run "
                                   "on the hypervisor, or its driver is missing (modprobe "
                                   "xen-gntalloc).");
        return rc;
    }
    *out = s;
    return 0;
}

void xc_gntshr_close(struct xc_gntshr *s)
{
    if (s != NULL) {
        (void)xc_sys->close(s->fd);
        free(s);
    }
}

const char *xc_gntshr_error(const struct xc_gntshr *s)
{
    return s->error;
}

static void *share_failed(struct xc_gntshr *s, int rc, uint32_t domid, unsigned int count)
{
    xc_explain(s->error, sizeof(s->error), "%u pages can't be shared with domain %u: %s.", count,
               domid,
               rc == -ENOSPC ? "the driver's limit is reached (see its module parameter `limit`)"
                             : xc_reason(rc));
    errno = -rc;
    return NULL;
}

void *xc_gntshr_share(struct xc_gntshr *s, uint32_t domid, unsigned int count, bool writable,
                      uint32_t *refs)
{
    struct ioctl_gntalloc_alloc_gref *alloc;
    struct ioctl_gntalloc_dealloc_gref dealloc;
    void *p = MAP_FAILED;
    int rc = 0;

    if (count == 0 || count > 1u << 16) {
        return share_failed(s, -E2BIG, domid, count);
    }
    alloc = calloc(1, sizeof(*alloc) + count * sizeof(alloc->gref_ids[0]));
    if (alloc == NULL) {
        return share_failed(s, -ENOMEM, domid, count);
    }
    alloc->domid = xc_domid(domid);
    alloc->flags = writable ? GNTALLOC_FLAG_WRITABLE : 0;
    alloc->count = count;
    if (xc_sys->ioctl(s->fd, IOCTL_GNTALLOC_ALLOC_GREF, alloc) < 0) {
        rc = -errno;
        free(alloc);
        return share_failed(s, rc, domid, count);
    }
    dealloc = (struct ioctl_gntalloc_dealloc_gref){.index = alloc->index, .count = count};
    p = xc_sys->mmap((size_t)count * XC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd,
                     (off_t)alloc->index);
    rc = p == MAP_FAILED ? -errno : 0;
    (void)xc_sys->ioctl(s->fd, IOCTL_GNTALLOC_DEALLOC_GREF, &dealloc);
    if (rc == 0) {
        memcpy(refs, (const char *)alloc + offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids),
               count * sizeof(*refs));
    }
    free(alloc);
    return rc < 0 ? share_failed(s, rc, domid, count) : p;
}

int xc_gntshr_unshare(struct xc_gntshr *s, void *address, unsigned int count)
{
    if (xc_sys->munmap(address, (size_t)count * XC_PAGE_SIZE) < 0) {
        int rc = -errno;

        xc_explain(s->error, sizeof(s->error), "%u pages at %p can't be given back: %s.", count,
                   address, strerror(-rc));
        return rc;
    }
    return 0;
}
