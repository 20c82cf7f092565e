/*
 * The real machine: libxenctrl. Read machine.h first.
 *
 * Facts: a PV domain's console page is its grant XC_GRANT_CONSOLE, seeded by the builder; older
 * builders seed none, then the frame that the store names is mapped.
 */
#include "xenconsoled/machine.h"
#include "xenstored/util.h"

#include "libxenctrl/include/xenctrl.h"

#include <errno.h>
#include <sys/mman.h>
#include <syslog.h>

const struct machine *machine = &machine_xen;

static struct xc_handle *hypervisor;
static struct xc_evtchn *events;
static struct xc_gnttab *grants;

static int xen_init(void)
{
    char why[512] = "";
    int rc = xc_open(&hypervisor, why, sizeof(why));

    if (rc == 0) {
        rc = xc_gnttab_open(&grants, why, sizeof(why));
    }
    if (rc == 0) {
        rc = xc_evtchn_open(&events, why, sizeof(why));
    }
    if (rc < 0) {
        log_msg(LOG_ERR, "%s", why);
    }
    return rc;
}

static int xen_event_fd(void)
{
    return xc_evtchn_fd(events);
}

static int xen_bind(unsigned domid, uint32_t remote_port)
{
    uint32_t port;
    int rc = xc_evtchn_bind_interdomain(events, domid, remote_port, &port);

    return rc < 0 ? rc : (int)port;
}

static int xen_bind_virq(unsigned virq)
{
    uint32_t port;
    int rc = xc_evtchn_bind_virq(events, virq, &port);

    return rc < 0 ? rc : (int)port;
}

static void xen_unbind(uint32_t port)
{
    if (xc_evtchn_unbind(events, port) < 0) {
        log_msg(LOG_ERR, "%s", xc_evtchn_error(events));
    }
}

/* A domain that has just ended takes no more events: nobody's fault. */
static void xen_notify(uint32_t port)
{
    int rc = xc_evtchn_notify(events, port);

    (void)rc;
}

static int xen_pending(uint32_t *ports, unsigned max)
{
    return xc_evtchn_pending_many(events, ports, max);
}

static void xen_unmask(uint32_t port)
{
    if (xc_evtchn_unmask(events, port) < 0) {
        log_msg(LOG_ERR, "%s", xc_evtchn_error(events));
    }
}

static struct xencons_interface *xen_map(unsigned domid, uint64_t gfn, int *error)
{
    const uint32_t ref = XC_GRANT_CONSOLE;
    void *page = xc_gnttab_map(grants, domid, &ref, 1, PROT_READ | PROT_WRITE);

    if (!page) {
        page = xc_map_frame(hypervisor, domid, PROT_READ | PROT_WRITE, gfn);
    }
    *error = page ? 0 : -errno;
    return page;
}

/* Which of the two it was only the driver of grants knows. */
static void xen_unmap(struct xencons_interface *page)
{
    if (xc_gnttab_unmap(grants, page, 1) < 0) {
        xc_unmap(page, 1);
    }
}

static int xen_read_log(char *out, size_t size, uint32_t *index)
{
    return (int)xc_host_read_console(hypervisor, out, size, index, false);
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
