/*
 * The real machine: libxenctrl. Read machine.h first.
 *
 * Facts: a PV domain's console page is its grant XC_GRANT_CONSOLE, seeded by the builder; older
 * builders seed none, then the frame that the store names is mapped.
 */
#include "xenconsoled/machine.h"
#include "xenstored/drivers.h"
#include "xenstored/util.h"

#include <errno.h>
#include <sys/mman.h>
#include <syslog.h>

const struct machine *machine = &machine_xen;

static int xen_init(void)
{
    return drivers_open(-1);
}

static int xen_pending(uint32_t *ports, unsigned max)
{
    return xc_evtchn_pending_many(drivers.events, ports, max);
}

static void xen_unmask(uint32_t port)
{
    if (xc_evtchn_unmask(drivers.events, port) < 0) {
        log_msg(LOG_ERR, "%s", xc_evtchn_error(drivers.events));
    }
}

static struct xencons_interface *xen_map(unsigned domid, uint64_t gfn, int *error)
{
    const uint32_t ref = XC_GRANT_CONSOLE;
    void *page = xc_gnttab_map(drivers.grants, domid, &ref, 1, PROT_READ | PROT_WRITE);

    if (!page) {
        page = xc_map_frame(drivers.hypervisor, domid, PROT_READ | PROT_WRITE, gfn);
    }
    *error = page ? 0 : -errno;
    return page;
}

/* Which of the two it was only the driver of grants knows. */
static void xen_unmap(struct xencons_interface *page)
{
    if (xc_gnttab_unmap(drivers.grants, page, 1) < 0) {
        xc_unmap(page, 1);
    }
}

static int xen_read_log(char *out, size_t size, uint32_t *index)
{
    return (int)xc_host_read_console(drivers.hypervisor, out, size, index, false);
}

const struct machine machine_xen = {
    .init = xen_init,
    .event_fd = drivers_event_fd,
    .bind = drivers_bind,
    .bind_virq = drivers_bind_virq,
    .unbind = drivers_unbind,
    .notify = drivers_notify,
    .pending = xen_pending,
    .unmask = xen_unmask,
    .map = xen_map,
    .unmap = xen_unmap,
    .read_log = xen_read_log,
};
