/*
 * gnttab.c: mapping other domains' grants through /dev/xen/gntdev.
 *
 * Read private.h first. A mapping is two steps for the driver: announce the grants (which gives an
 * offset), then mmap() that offset. Undoing it is the reverse.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "libxenctrl/private.h"
#include <xen/gntdev.h>

struct xc_gnttab {
    int fd;
    char error[XC_ERROR_SIZE];
};

int xc_gnttab_open(struct xc_gnttab **out, char *why, size_t why_size)
{
    struct xc_gnttab *g = calloc(1, sizeof(*g));
    int rc;

    *out = NULL;
    if (g == NULL) {
        xc_explain(why, why_size, "There is no memory left.");
        return -ENOMEM;
    }
    g->fd = xc_sys->open("/dev/xen/gntdev", O_RDWR);
    if (g->fd < 0) {
        rc = -errno;
        free(g);
        xc_explain(why, why_size,
                   rc == -EACCES
                       ? "/dev/xen/gntdev can't be opened: this needs root."
                       : "/dev/xen/gntdev isn't there: either this system does not run on "
                         "the hypervisor, or its driver is missing (modprobe "
                         "xen-gntdev).");
        return rc;
    }
    *out = g;
    return 0;
}

void xc_gnttab_close(struct xc_gnttab *g)
{
    if (g != NULL) {
        (void)xc_sys->close(g->fd);
        free(g);
    }
}

const char *xc_gnttab_error(const struct xc_gnttab *g)
{
    return g->error;
}

static void *grant_failed(struct xc_gnttab *g, int rc, uint32_t domid, unsigned int count)
{
    xc_explain(
        g->error, sizeof(g->error), "%u grants of domain %u can't be mapped: %s.", count, domid,
        rc == -EINVAL ? "they aren't there, or aren't meant for this domain" : xc_reason(rc));
    errno = -rc;
    return NULL;
}

/* Tell the driver which grants are meant; returns where in its file they are. */
static int announce(struct xc_gnttab *g, uint32_t domid, const uint32_t *refs, unsigned int count,
                    uint64_t *index)
{
    struct ioctl_gntdev_map_grant_ref *arg;
    int rc = 0;

    arg = calloc(1, sizeof(*arg) + count * sizeof(arg->refs[0]));
    if (arg == NULL) {
        return -ENOMEM;
    }
    arg->count = count;
    for (unsigned int i = 0; i < count; i++) {
        arg->refs[i].domid = xc_domid(domid);
        arg->refs[i].ref = refs[i];
    }
    if (xc_sys->ioctl(g->fd, IOCTL_GNTDEV_MAP_GRANT_REF, arg) < 0) {
        rc = -errno;
    }
    *index = arg->index;
    free(arg);
    return rc;
}

static int forget(struct xc_gnttab *g, uint64_t index, unsigned int count)
{
    struct ioctl_gntdev_unmap_grant_ref arg = {.index = index, .count = count};

    return xc_sys->ioctl(g->fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &arg) < 0 ? -errno : 0;
}

/* What is to happen when @index is unmapped. */
static int set_notify(struct xc_gnttab *g, uint64_t index, int clear_offset, uint32_t port)
{
    struct ioctl_gntdev_unmap_notify arg = {.index = index};

    if (clear_offset >= 0) {
        arg.index += (unsigned int)clear_offset;
        arg.action |= UNMAP_NOTIFY_CLEAR_BYTE;
    }
    if (port != ~0u) {
        arg.event_channel_port = port;
        arg.action |= UNMAP_NOTIFY_SEND_EVENT;
    }
    if (arg.action == 0) {
        return 0;
    }
    return xc_sys->ioctl(g->fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &arg) < 0 ? -errno : 0;
}

static void *map_grants(struct xc_gnttab *g, uint32_t domid, const uint32_t *refs,
                        unsigned int count, int prot, int clear_offset, uint32_t port)
{
    uint64_t index;
    void *p = MAP_FAILED;
    int rc;

    if (count == 0 || count > 1u << 20 || clear_offset >= (int)XC_PAGE_SIZE) {
        return grant_failed(g, -E2BIG, domid, count);
    }
    rc = announce(g, domid, refs, count, &index);
    if (rc < 0) {
        return grant_failed(g, rc, domid, count);
    }
    p = xc_sys->mmap((size_t)count * XC_PAGE_SIZE, prot, MAP_SHARED, g->fd, (off_t)index);
    rc = p == MAP_FAILED ? -errno : set_notify(g, index, clear_offset, port);
    if (rc < 0) {
        if (p != MAP_FAILED) {
            (void)xc_sys->munmap(p, (size_t)count * XC_PAGE_SIZE);
        }
        (void)forget(g, index, count);
        return grant_failed(g, rc, domid, count);
    }
    return p;
}

void *xc_gnttab_map(struct xc_gnttab *g, uint32_t domid, const uint32_t *refs, unsigned int count,
                    int prot)
{
    return map_grants(g, domid, refs, count, prot, -1, ~0u);
}

void *xc_gnttab_map_notify(struct xc_gnttab *g, uint32_t domid, uint32_t ref, int prot,
                           int clear_offset, uint32_t notify_port)
{
    return map_grants(g, domid, &ref, 1, prot, clear_offset, notify_port);
}

int xc_gnttab_unmap(struct xc_gnttab *g, void *address, unsigned int count)
{
    struct ioctl_gntdev_get_offset_for_vaddr where = {.vaddr = (uintptr_t)address};
    int rc = 0;

    if (xc_sys->ioctl(g->fd, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &where) < 0) {
        rc = -errno;
    } else if (where.count != count) {
        rc = -EINVAL;
    } else if (xc_sys->munmap(address, (size_t)count * XC_PAGE_SIZE) < 0) {
        rc = -errno;
    } else {
        rc = forget(g, where.offset, count);
    }
    if (rc < 0) {
        xc_explain(g->error, sizeof(g->error), "%u grants at %p can't be unmapped: %s.", count,
                   address, rc == -EINVAL ? "no such mapping begins there" : strerror(-rc));
    }
    return rc;
}
