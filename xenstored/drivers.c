/*
 * The hypervisor's drivers, shared by xenstored and xenconsoled. Read drivers.h first.
 */
#include "xenstored/drivers.h"
#include "xenstored/util.h"

#include <syslog.h>

struct drivers drivers;

int drivers_open(int event_fd)
{
    char why[512] = "";
    int rc = xc_open(&drivers.hypervisor, why, sizeof(why));

    if (rc == 0) {
        rc = xc_gnttab_open(&drivers.grants, why, sizeof(why));
    }
    if (rc == 0) {
        rc = event_fd >= 0 ? xc_evtchn_adopt(&drivers.events, event_fd, why, sizeof(why))
                           : xc_evtchn_open(&drivers.events, why, sizeof(why));
    }
    if (rc < 0) {
        log_msg(LOG_ERR, "%s", why);
    }
    return rc;
}

int drivers_event_fd(void)
{
    return xc_evtchn_fd(drivers.events);
}

int drivers_bind(unsigned domid, uint32_t remote_port)
{
    uint32_t port;
    int rc = xc_evtchn_bind_interdomain(drivers.events, domid, remote_port, &port);

    return rc < 0 ? rc : (int)port;
}

int drivers_bind_virq(unsigned virq)
{
    uint32_t port;
    int rc = xc_evtchn_bind_virq(drivers.events, virq, &port);

    return rc < 0 ? rc : (int)port;
}

void drivers_unbind(uint32_t port)
{
    if (xc_evtchn_unbind(drivers.events, port) < 0) {
        log_msg(LOG_ERR, "%s", xc_evtchn_error(drivers.events));
    }
}

/* A domain that has just ended takes no more events: nobody's fault. */
void drivers_notify(uint32_t port)
{
    int rc = xc_evtchn_notify(drivers.events, port);

    (void)rc;
}
