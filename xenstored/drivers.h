/*
 * The hypervisor's drivers as the daemons for the store and for consoles both use them: libxenctrl,
 * with what fails in the log.
 */
#ifndef XENSTORED_DRIVERS_H
#define XENSTORED_DRIVERS_H

#include "libxenctrl/include/xenctrl.h"

/* Open from drivers_open() to the end of the process. */
struct drivers {
    struct xc_handle *hypervisor;
    struct xc_evtchn *events;
    struct xc_gnttab *grants;
};

extern struct drivers drivers;

/* event_fd: an event channel descriptor that is open already, with its ports, or -1. 0 or -errno.
 */
int drivers_open(int event_fd);

/* The descriptor to poll for pending ports. */
int drivers_event_fd(void);

/* The local port (> 0) or -errno. */
int drivers_bind(unsigned domid, uint32_t remote_port);
int drivers_bind_virq(unsigned virq);
void drivers_unbind(uint32_t port);
void drivers_notify(uint32_t port);

#endif
