/*
 * The real machine: libxenctrl, and the kernel's own store page in /proc/xen. Read platform.h
 * first.
 *
 * Facts: a domain's store page is its grant XC_GRANT_XENSTORE, seeded by the domain builder. The
 * kernel of our own domain publishes its page and port in /proc/xen/xsd_kva and /proc/xen/xsd_port
 * (Linux: drivers/xen/xenfs). A domain's death raises VIRQ_DOM_EXC.
 */
#include "xenstored/platform.h"
#include "xenstored/drivers.h"
#include "xenstored/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/io/xs_wire.h>

static int xen_pending(uint32_t *ports, unsigned max)
{
    int n = xc_evtchn_pending_many(drivers.events, ports, max);
    /* Unmask before the rings are looked at, so that nothing that comes in between is missed. */
    int rc = n > 0 ? xc_evtchn_unmask_many(drivers.events, ports, (unsigned)n) : 0;

    return rc < 0 ? rc : n;
}

static struct xenstore_domain_interface *map_own_page(int *error)
{
    int fd = open("/proc/xen/xsd_kva", O_RDWR | O_CLOEXEC);
    void *page;

    if (fd < 0) {
        *error = -errno;
        return NULL;
    }
    page = mmap(NULL, XC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *error = -errno;
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

static struct xenstore_domain_interface *xen_map(unsigned domid, int *error)
{
    const uint32_t ref = XC_GRANT_XENSTORE;
    void *page;

    if (domid == 0) {
        return map_own_page(error);
    }
    page = xc_gnttab_map(drivers.grants, domid, &ref, 1, PROT_READ | PROT_WRITE);
    *error = page ? 0 : -errno;
    return page;
}

static void xen_unmap(unsigned domid, struct xenstore_domain_interface *page)
{
    if (domid == 0) {
        munmap(page, XC_PAGE_SIZE);
    } else if (xc_gnttab_unmap(drivers.grants, page, 1) < 0) {
        log_msg(LOG_ERR, "%s", xc_gnttab_error(drivers.grants));
    }
}

static int xen_dom0_port(void)
{
    char text[24];
    int fd = open("/proc/xen/xsd_port", O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return -errno;
    }
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0) {
        return -EIO;
    }
    text[n] = '\0';
    return (int)strtoul(text, NULL, 0);
}

static int xen_domain_state(unsigned domid, struct domain_state *state)
{
    struct xc_domain_info info;

    if (domid >= XC_DOMID_RESERVED || xc_domain_get_info(drivers.hypervisor, domid, &info) < 0) {
        return -ENOENT;
    }
    state->dying = info.dying;
    state->stopped = info.shutdown;
    return 0;
}

const struct platform platform_xen = {
    .init = drivers_open,
    .event_fd = drivers_event_fd,
    .bind = drivers_bind,
    .bind_virq = drivers_bind_virq,
    .unbind = drivers_unbind,
    .notify = drivers_notify,
    .pending = xen_pending,
    .map = xen_map,
    .unmap = xen_unmap,
    .dom0_port = xen_dom0_port,
    .domain_state = xen_domain_state,
};
