/*
 * The real machine: Linux's /dev/xen/evtchn, gntdev and privcmd, and the kernel's own store page in
 * /proc/xen. Read platform.h first.
 *
 * Facts: a domain's store page is its grant GNTTAB_RESERVED_XENSTORE (<xen/grant_table.h>), seeded
 * by the domain builder. The kernel of our own domain publishes its page and port in
 * /proc/xen/xsd_kva and /proc/xen/xsd_port (Linux: drivers/xen/xenfs). A domain's death raises
 * VIRQ_DOM_EXC.
 */
#include "xenstored/platform.h"
#include "xenstored/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/grant_table.h>
#include <xen/io/xs_wire.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>

#define PAGE 4096u

static int evtchn = -1, gntdev = -1, privcmd = -1;

/* One page for the arguments of a hypercall: the kernel must not move or unmap it meanwhile. */
static struct xen_domctl *domctl;

static int open_device(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int map_domctl(void)
{
    int flags = MAP_SHARED;
    int fd = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
    void *page;

    if (fd < 0) {
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (fd >= 0) {
        close(fd);
    }
    if (page == MAP_FAILED) {
        return -errno;
    }
    domctl = page;
    return 0;
}

static int xen_init(int event_fd)
{
    struct ioctl_gntdev_set_max_grants max = {.count = DOMID_FIRST_RESERVED};

    privcmd = open_device("/dev/xen/privcmd");
    if (privcmd < 0) {
        log_msg(LOG_ERR, "cannot open /dev/xen/privcmd: %s. Is this Domain 0 of a Xen machine?",
                strerror(-privcmd));
        return privcmd;
    }
    gntdev = open_device("/dev/xen/gntdev");
    if (gntdev < 0) {
        log_msg(LOG_ERR, "cannot open /dev/xen/gntdev: %s. Load the module xen-gntdev",
                strerror(-gntdev));
        return gntdev;
    }
    ioctl(gntdev, IOCTL_GNTDEV_SET_MAX_GRANTS, &max);
    evtchn = event_fd >= 0 ? event_fd : open_device("/dev/xen/evtchn");
    if (evtchn < 0) {
        log_msg(LOG_ERR, "cannot open /dev/xen/evtchn: %s. Load the module xen-evtchn",
                strerror(-evtchn));
        return evtchn;
    }
    if (fcntl(evtchn, F_SETFL, O_NONBLOCK) < 0) {
        return -errno;
    }
    return map_domctl();
}

static int xen_event_fd(void)
{
    return evtchn;
}

static int xen_bind(unsigned remote_domid, uint32_t remote_port)
{
    struct ioctl_evtchn_bind_interdomain bind = {.remote_domain = remote_domid,
                                                 .remote_port = remote_port};
    int port = ioctl(evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);

    return port < 0 ? -errno : port;
}

static int xen_bind_virq(unsigned virq)
{
    struct ioctl_evtchn_bind_virq bind = {.virq = virq};
    int port = ioctl(evtchn, IOCTL_EVTCHN_BIND_VIRQ, &bind);

    return port < 0 ? -errno : port;
}

static void xen_unbind(uint32_t port)
{
    struct ioctl_evtchn_unbind unbind = {.port = port};

    ioctl(evtchn, IOCTL_EVTCHN_UNBIND, &unbind);
}

static void xen_notify(uint32_t port)
{
    struct ioctl_evtchn_notify notify = {.port = port};

    ioctl(evtchn, IOCTL_EVTCHN_NOTIFY, &notify);
}

static int xen_pending(uint32_t *ports, unsigned max)
{
    ssize_t n = read(evtchn, ports, max * sizeof(*ports));

    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    }
    /* Unmask before the rings are looked at, so that nothing that comes in between is missed. */
    if (n > 0 && write(evtchn, ports, (size_t)n) != n) {
        return -errno;
    }
    return (int)((size_t)n / sizeof(*ports));
}

static struct xenstore_domain_interface *map_own_page(int *error)
{
    int fd = open_device("/proc/xen/xsd_kva");
    void *page;

    if (fd < 0) {
        *error = fd;
        return NULL;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *error = -errno;
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

static struct xenstore_domain_interface *xen_map(unsigned domid, int *error)
{
    struct ioctl_gntdev_map_grant_ref map = {
        .count = 1, .refs = {{.domid = domid, .ref = GNTTAB_RESERVED_XENSTORE}}};
    struct ioctl_gntdev_unmap_grant_ref unmap = {.count = 1};
    void *page;

    if (domid == 0) {
        return map_own_page(error);
    }
    if (ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &map) < 0) {
        *error = -errno;
        return NULL;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntdev, (off_t)map.index);
    if (page == MAP_FAILED) {
        *error = -errno;
        unmap.index = map.index;
        ioctl(gntdev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
        return NULL;
    }
    return page;
}

static void xen_unmap(unsigned domid, struct xenstore_domain_interface *page)
{
    struct ioctl_gntdev_get_offset_for_vaddr where = {.vaddr = (uintptr_t)page};
    struct ioctl_gntdev_unmap_grant_ref unmap = {0};

    if (domid != 0 && ioctl(gntdev, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &where) == 0) {
        unmap.index = where.offset;
        unmap.count = where.count;
    }
    munmap(page, PAGE);
    if (unmap.count) {
        ioctl(gntdev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
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
    struct privcmd_hypercall call = {.op = __HYPERVISOR_domctl, .arg = {(uintptr_t)domctl}};
    uint32_t flags;

    if (domid >= DOMID_FIRST_RESERVED) {
        return -ENOENT;
    }
    memset(domctl, 0, sizeof(*domctl));
    domctl->cmd = XEN_DOMCTL_getdomaininfo;
    domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl->domain = (domid_t)domid;
    /* The hypervisor answers for the next domain above where this one is missing. */
    if (ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0 ||
        domctl->u.getdomaininfo.domain != domid) {
        return -ENOENT;
    }
    flags = domctl->u.getdomaininfo.flags;
    state->dying = flags & XEN_DOMINF_dying;
    state->stopped = flags & XEN_DOMINF_shutdown;
    return 0;
}

const struct platform platform_xen = {
    .init = xen_init,
    .event_fd = xen_event_fd,
    .bind = xen_bind,
    .bind_virq = xen_bind_virq,
    .unbind = xen_unbind,
    .notify = xen_notify,
    .pending = xen_pending,
    .map = xen_map,
    .unmap = xen_unmap,
    .dom0_port = xen_dom0_port,
    .domain_state = xen_domain_state,
};
