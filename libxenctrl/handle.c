/*
 * handle.c: the connection to the hypervisor: opening, hypercalls and their buffers.
 *
 * Read private.h first. Hypercall buffers come from /dev/xen/hypercall, whose pages the kernel
 * neither moves nor copies on write; on kernels before 4.18 they are locked anonymous memory.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "libxenctrl/private.h"
#include <xen/privcmd.h>

static size_t pages_of(size_t size)
{
    return size == 0 ? 1 : (size - 1) / XC_PAGE_SIZE + 1;
}

static void *map_buffer(struct xc_handle *h, size_t pages)
{
    const int prot = PROT_READ | PROT_WRITE;
    void *p;

    h->calls++;
    if (h->hypercall >= 0) {
        p = xc_sys->mmap(pages * XC_PAGE_SIZE, prot, MAP_SHARED, h->hypercall, 0);
    } else {
        p = xc_sys->mmap(pages * XC_PAGE_SIZE, prot,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    }
    return p == MAP_FAILED ? NULL : p;
}

static void unmap_buffer(void *p, size_t pages)
{
    (void)xc_sys->munmap(p, pages * XC_PAGE_SIZE);
}

void *xc_buffer_alloc(struct xc_handle *h, size_t size)
{
    size_t pages = pages_of(size);
    void *p;

    if (size > SIZE_MAX / 2) {
        xc_fail(h, -ENOMEM, "A hypercall can't take %zu bytes: that is more than memory has.",
                size);
        return NULL;
    }
    if (pages <= XC_CACHE_PAGES && h->nr_cached[pages - 1] > 0) {
        p = h->cached[pages - 1][--h->nr_cached[pages - 1]];
        memset(p, 0, pages * XC_PAGE_SIZE);
        return p;
    }
    p = map_buffer(h, pages);
    if (p == NULL) {
        xc_fail(h, -ENOMEM,
                "The kernel has no %zu KiB of locked memory for a hypercall: give this domain more "
                "memory, or raise the limit (ulimit -l).",
                pages * XC_PAGE_SIZE / 1024);
    }
    return p;
}

void xc_buffer_free(struct xc_handle *h, void *buffer, size_t size)
{
    size_t pages = pages_of(size);

    if (buffer == NULL) {
        return;
    }
    if (pages <= XC_CACHE_PAGES && h->nr_cached[pages - 1] < XC_CACHE_BLOCKS) {
        h->cached[pages - 1][h->nr_cached[pages - 1]++] = buffer;
        return;
    }
    unmap_buffer(buffer, pages);
}

long xc_hypercall(struct xc_handle *h, unsigned int nr, const uint64_t args[5])
{
    struct privcmd_hypercall call = {.op = nr};
    int r;

    memcpy(call.arg, args, sizeof(call.arg));
    h->calls++;
    r = xc_sys->ioctl(h->privcmd, IOCTL_PRIVCMD_HYPERCALL, &call);
    return r < 0 ? -errno : r;
}

long xc_call(struct xc_handle *h, unsigned int nr, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t args[5] = {a, b, c, 0, 0};

    return xc_hypercall(h, nr, args);
}

uint64_t xc_hypercall_count(const struct xc_handle *h)
{
    return h->calls;
}

void *xc_control(struct xc_handle *h, size_t size)
{
    memset(h->control, 0, size);
    return h->control;
}

/* Does the hypervisor answer, and at the version that we speak? */
static int check_interface(struct xc_handle *h, char *why, size_t why_size)
{
    int rc;

    xc_sysctl_begin(h, XEN_SYSCTL_sched_id);
    rc = xc_sysctl(h);
    if (rc == -EACCES) {
        xc_explain(why, why_size,
                   "The hypervisor's management interface is not version %#x (Xen 4.17's): use the "
                   "tools that belong to this hypervisor.",
                   XEN_SYSCTL_INTERFACE_VERSION);
        return -EPROTO;
    }
    if (rc == -EPERM) {
        xc_explain(why, why_size,
                   "The hypervisor doesn't let this domain manage others: run this in Domain 0.");
        return -EPERM;
    }
    if (rc < 0 && rc != -ENOSYS) {
        xc_explain(why, why_size, "The hypervisor doesn't answer: %s.", xc_reason(rc));
        return rc;
    }
    return 0;
}

static int open_privcmd(struct xc_handle *h, char *why, size_t why_size)
{
    int rc;

    h->privcmd = xc_sys->open("/dev/xen/privcmd", O_RDWR);
    if (h->privcmd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV)) {
        h->privcmd = xc_sys->open("/proc/xen/privcmd", O_RDWR);
    }
    if (h->privcmd >= 0) {
        return 0;
    }
    rc = -errno;
    if (rc == -EACCES || rc == -EPERM) {
        xc_explain(why, why_size, "/dev/xen/privcmd can't be opened: this needs root.");
    } else if (rc == -ENOENT || rc == -ENXIO || rc == -ENODEV) {
        xc_explain(
            why, why_size,
            "/dev/xen/privcmd isn't there: either this system does not run on the hypervisor "
            "(boot it from there), or its driver is missing (modprobe xen-privcmd).");
    } else {
        xc_explain(why, why_size, "/dev/xen/privcmd can't be opened: %s.", strerror(-rc));
    }
    return rc;
}

int xc_open(struct xc_handle **out, char *why, size_t why_size)
{
    struct xc_handle *h = calloc(1, sizeof(*h));
    int rc;

    *out = NULL;
    xc_explain(why, why_size, "There is no memory left.");
    if (h == NULL) {
        return -ENOMEM;
    }
    h->privcmd = h->hypercall = -1;
    rc = open_privcmd(h, why, why_size);
    if (rc == 0) {
        h->hypercall = xc_sys->open("/dev/xen/hypercall", O_RDWR);
        h->control = map_buffer(h, 1);
        rc = h->control == NULL ? -ENOMEM : check_interface(h, why, why_size);
    }
    if (rc < 0) {
        xc_close(h);
        return rc;
    }
    xc_explain(why, why_size, "%s", "");
    *out = h;
    return 0;
}

void xc_close(struct xc_handle *h)
{
    if (h == NULL) {
        return;
    }
    for (size_t i = 0; i < XC_CACHE_PAGES; i++) {
        while (h->nr_cached[i] > 0) {
            unmap_buffer(h->cached[i][--h->nr_cached[i]], i + 1);
        }
    }
    if (h->control != NULL) {
        unmap_buffer(h->control, 1);
    }
    if (h->hypercall >= 0) {
        (void)xc_sys->close(h->hypercall);
    }
    if (h->privcmd >= 0) {
        (void)xc_sys->close(h->privcmd);
    }
    free(h);
}
