/*
 * map.c: other domains' frames and resources in the caller's address space.
 *
 * Read private.h first. The kernel takes a whole list of frames at once and reports an error for
 * each, so a mapping of any size costs one system call.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "libxenctrl/private.h"
#include <xen/privcmd.h>

static void *map_failed(struct xc_handle *h, int rc, uint32_t domid, const char *why)
{
    (void)xc_fail(h, rc, "Memory of domain %u can't be mapped: %s.", domid, why);
    errno = -rc;
    return NULL;
}

/* Reserve addresses for @count frames. */
static void *map_begin(struct xc_handle *h, int prot, size_t count)
{
    void *p;

    if (count == 0 || count > SIZE_MAX / XC_PAGE_SIZE || count > UINT32_MAX) {
        errno = EINVAL;
        return NULL;
    }
    h->calls++;
    p = xc_sys->mmap(count * XC_PAGE_SIZE, prot, MAP_SHARED, h->privcmd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* The first error among @count, or 0. */
static int first_error(const int *errors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (errors[i] != 0) {
            return errors[i];
        }
    }
    return 0;
}

void *xc_map_foreign(struct xc_handle *h, uint32_t domid, int prot, const uint64_t *frames,
                     size_t count, int *errors)
{
    struct privcmd_mmapbatch_v2 batch;
    void *p = map_begin(h, prot, count);
    int *own, rc;

    if (p == NULL) {
        return map_failed(h, -errno, domid, strerror(errno));
    }
    own = errors != NULL ? errors : calloc(count, sizeof(*own));
    if (own == NULL) {
        xc_unmap(p, count);
        return map_failed(h, -ENOMEM, domid, "there is no memory left");
    }
    batch = (struct privcmd_mmapbatch_v2){
        .num = (unsigned int)count,
        .dom = xc_domid(domid),
        .addr = (uintptr_t)p,
        .arr = (const xen_pfn_t *)frames,
        .err = own,
    };
    h->calls++;
    rc = xc_sys->ioctl(h->privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &batch) < 0 ? -errno : 0;
    if (rc == -ENOENT && first_error(own, count) != 0) {
        rc = 0; /* the kernel's summary of a frame that is paged out: its own error says so */
    }
    if (rc == 0 && errors == NULL) {
        rc = first_error(own, count);
    }
    if (errors == NULL) {
        free(own);
    }
    if (rc < 0) {
        xc_unmap(p, count);
        return map_failed(h, rc, domid,
                          rc == -EINVAL ? "a frame isn't there or isn't the domain's"
                                        : xc_reason(rc));
    }
    return p;
}

void *xc_map_frame(struct xc_handle *h, uint32_t domid, int prot, uint64_t frame)
{
    return xc_map_foreign(h, domid, prot, &frame, 1, NULL);
}

void *xc_map_resource(struct xc_handle *h, uint32_t domid, unsigned int type, unsigned int id,
                      uint64_t first, size_t count, int prot)
{
    struct privcmd_mmap_resource resource;
    void *p = map_begin(h, prot, count);
    int rc;

    if (p == NULL) {
        return map_failed(h, -errno, domid, strerror(errno));
    }
    resource = (struct privcmd_mmap_resource){
        .dom = xc_domid(domid),
        .type = type,
        .id = id,
        .idx = (uint32_t)first,
        .num = count,
        .addr = (uintptr_t)p,
    };
    h->calls++;
    if (first > UINT32_MAX ||
        xc_sys->ioctl(h->privcmd, IOCTL_PRIVCMD_MMAP_RESOURCE, &resource) < 0) {
        rc = first > UINT32_MAX ? -EINVAL : -errno;
        rc = rc == -ENOTTY || rc == -ENOSYS ? -EOPNOTSUPP : rc;
        xc_unmap(p, count);
        return map_failed(h, rc, domid, xc_reason(rc));
    }
    return p;
}

void xc_unmap(void *address, size_t count)
{
    if (address != NULL) {
        (void)xc_sys->munmap(address, count * XC_PAGE_SIZE);
    }
}
