/*
 * The real machine: Linux's /dev/xen/evtchn, gntdev and privcmd. Read machine.h first.
 *
 * Facts: a PV domain's console page is its grant GNTTAB_RESERVED_CONSOLE (<xen/grant_table.h>),
 * seeded by the builder; older builders seed none, then the frame that the store names is mapped by
 * privcmd.
 */
#include "xenconsoled/machine.h"
#include "xenstored/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>
#include <xen/sysctl.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>

#define PAGE       4096u
#define LOG_BUFFER (4 * PAGE)

const struct machine *machine = &machine_xen;

static int evtchn = -1, gntdev = -1, privcmd = -1;

/* The arguments of a hypercall, then the buffer for the log: memory that the kernel doesn't move.
 */
static struct xen_sysctl *sysctl;
static char *log_buffer;

static int open_device(const char *path, const char *module)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        fd = -errno;
        log_msg(LOG_ERR, "cannot open %s: %s. Is this Domain 0, and the module %s loaded?", path,
                strerror(-fd), module);
    }
    return fd;
}

static int map_hypercall_memory(void)
{
    int flags = MAP_SHARED;
    int fd = open("/dev/xen/hypercall", O_RDWR | O_CLOEXEC);
    char *p;

    if (fd < 0) {
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE;
    }
    p = mmap(NULL, PAGE + LOG_BUFFER, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (fd >= 0) {
        close(fd);
    }
    if (p == MAP_FAILED) {
        return -errno;
    }
    sysctl = (struct xen_sysctl *)(void *)p;
    log_buffer = p + PAGE;
    return 0;
}

static int xen_init(void)
{
    struct ioctl_gntdev_set_max_grants max = {.count = DOMID_FIRST_RESERVED};

    privcmd = open_device("/dev/xen/privcmd", "xen-privcmd");
    gntdev = privcmd < 0 ? privcmd : open_device("/dev/xen/gntdev", "xen-gntdev");
    evtchn = gntdev < 0 ? gntdev : open_device("/dev/xen/evtchn", "xen-evtchn");
    if (evtchn < 0) {
        return evtchn;
    }
    ioctl(gntdev, IOCTL_GNTDEV_SET_MAX_GRANTS, &max);
    if (fcntl(evtchn, F_SETFL, O_NONBLOCK) < 0) {
        return -errno;
    }
    return map_hypercall_memory();
}

static int xen_event_fd(void)
{
    return evtchn;
}

static int xen_bind(unsigned domid, uint32_t remote_port)
{
    struct ioctl_evtchn_bind_interdomain bind = {.remote_domain = domid,
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
    return (int)((size_t)n / sizeof(*ports));
}

static void xen_unmask(uint32_t port)
{
    if (write(evtchn, &port, sizeof(port)) != sizeof(port)) {
        log_msg(LOG_ERR, "cannot unmask event channel %u: %m", port);
    }
}

static struct xencons_interface *map_grant(unsigned domid)
{
    struct ioctl_gntdev_map_grant_ref map = {
        .count = 1, .refs = {{.domid = domid, .ref = GNTTAB_RESERVED_CONSOLE}}};
    struct ioctl_gntdev_unmap_grant_ref unmap = {.count = 1};
    void *page;

    if (ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &map) < 0) {
        return NULL;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntdev, (off_t)map.index);
    if (page != MAP_FAILED) {
        return page;
    }
    unmap.index = map.index;
    ioctl(gntdev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
    return NULL;
}

static struct xencons_interface *map_frame(unsigned domid, uint64_t gfn, int *error)
{
    xen_pfn_t frame = gfn;
    int result = 0;
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
    struct privcmd_mmapbatch_v2 map = {
        .num = 1, .dom = (domid_t)domid, .addr = (uintptr_t)page, .arr = &frame, .err = &result};

    if (page == MAP_FAILED) {
        *error = -errno;
        return NULL;
    }
    if (ioctl(privcmd, IOCTL_PRIVCMD_MMAPBATCH_V2, &map) < 0 || result < 0) {
        *error = result < 0 ? result : -errno;
        munmap(page, PAGE);
        return NULL;
    }
    return page;
}

static struct xencons_interface *xen_map(unsigned domid, uint64_t gfn, int *error)
{
    struct xencons_interface *page = map_grant(domid);

    return page ? page : map_frame(domid, gfn, error);
}

static void xen_unmap(struct xencons_interface *page)
{
    struct ioctl_gntdev_get_offset_for_vaddr where = {.vaddr = (uintptr_t)page};
    struct ioctl_gntdev_unmap_grant_ref unmap = {0};
    bool grant = ioctl(gntdev, IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &where) == 0;

    munmap(page, PAGE);
    if (grant) {
        unmap.index = where.offset;
        unmap.count = where.count;
        ioctl(gntdev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap);
    }
}

static int xen_read_log(char *out, size_t size, uint32_t *index)
{
    struct privcmd_hypercall call = {.op = __HYPERVISOR_sysctl, .arg = {(uintptr_t)sysctl}};
    struct xen_sysctl_readconsole *rc = &sysctl->u.readconsole;

    memset(sysctl, 0, sizeof(*sysctl));
    sysctl->cmd = XEN_SYSCTL_readconsole;
    sysctl->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    rc->incremental = 1;
    rc->index = *index;
    rc->count = (uint32_t)min_size(size, LOG_BUFFER);
    set_xen_guest_handle(rc->buffer, log_buffer);
    if (ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0) {
        return -errno;
    }
    if (rc->count > size) {
        return -EIO;
    }
    memcpy(out, log_buffer, rc->count);
    *index = rc->index;
    return (int)rc->count;
}

const struct machine machine_xen = {
    .init = xen_init,
    .event_fd = xen_event_fd,
    .bind = xen_bind,
    .bind_virq = xen_bind_virq,
    .unbind = xen_unbind,
    .notify = xen_notify,
    .pending = xen_pending,
    .unmask = xen_unmask,
    .map = xen_map,
    .unmap = xen_unmap,
    .read_log = xen_read_log,
};
