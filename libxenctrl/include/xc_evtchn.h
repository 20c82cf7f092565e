/*
 * xc_evtchn.h: event channels, through Linux's /dev/xen/evtchn.
 *
 * Read xenctrl.h first: its conventions hold here. Ports are the calling domain's, unless a
 * function says otherwise. A port that fires is masked until xc_evtchn_unmask(): so a caller gets
 * each port once, handles it, and unmasks it.
 */
#ifndef HOSPES_XC_EVTCHN_H
#define HOSPES_XC_EVTCHN_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A set of ports with one file descriptor. Closing it unbinds them all. */
struct xc_evtchn;

/* @why, @why_size: as in xc_open(). */
XC_MUST_CHECK int xc_evtchn_open(struct xc_evtchn **out, char *why, size_t why_size);
void xc_evtchn_close(struct xc_evtchn *e);

/*
 * The same around a descriptor of /dev/xen/evtchn that is open already, with its ports bound: how a
 * daemon that is replaced by a newer program hands its ports on. It is made non-blocking and
 * close-on-exec, and is owned by the new handle; after a failure it still is the caller's.
 */
XC_MUST_CHECK int xc_evtchn_adopt(struct xc_evtchn **out, int fd, char *why, size_t why_size);

/* The sentence for the last failure on @e. */
const char *xc_evtchn_error(const struct xc_evtchn *e);

/* A descriptor, non-blocking, that polls readable while a port is pending. Owned by @e. */
int xc_evtchn_fd(const struct xc_evtchn *e);

/* Bind to @domid's unbound port @remote and return the new local port. -EINVAL: it isn't unbound.
 */
XC_MUST_CHECK int xc_evtchn_bind_interdomain(struct xc_evtchn *e, uint32_t domid, uint32_t remote,
                                             uint32_t *port);

/* Make a local port to which @domid can bind. */
XC_MUST_CHECK int xc_evtchn_bind_unbound(struct xc_evtchn *e, uint32_t domid, uint32_t *port);

/* Bind a virtual interrupt (VIRQ_* of <xen/xen.h>). -EEXIST: somebody else has it. */
XC_MUST_CHECK int xc_evtchn_bind_virq(struct xc_evtchn *e, uint32_t virq, uint32_t *port);

XC_MUST_CHECK int xc_evtchn_unbind(struct xc_evtchn *e, uint32_t port);

/* Send an event to the other end. */
XC_MUST_CHECK int xc_evtchn_notify(struct xc_evtchn *e, uint32_t port);

/* The next pending port; it is masked from now on. -EAGAIN: none is pending. */
XC_MUST_CHECK int xc_evtchn_pending(struct xc_evtchn *e, uint32_t *port);

/* Take events from @port again. */
XC_MUST_CHECK int xc_evtchn_unmask(struct xc_evtchn *e, uint32_t port);

/* Both for many ports with one system call. The first returns how many there were: 0 to @max. */
XC_MUST_CHECK int xc_evtchn_pending_many(struct xc_evtchn *e, uint32_t *ports, unsigned int max);
XC_MUST_CHECK int xc_evtchn_unmask_many(struct xc_evtchn *e, const uint32_t *ports,
                                        unsigned int count);

/*
 * Make, in domain @domid, a port to which @remote_domid can bind: how a builder prepares a guest's
 * xenstore and console channels. Needs no struct xc_evtchn.
 */
XC_MUST_CHECK int xc_evtchn_alloc_unbound(struct xc_handle *h, uint32_t domid,
                                          uint32_t remote_domid, uint32_t *port);

/* What a port of any domain is (EVTCHNSTAT_* of <xen/event_channel.h>). */
struct xc_evtchn_status {
    uint32_t status;       /* EVTCHNSTAT_* */
    uint32_t vcpu;         /* the virtual CPU that it notifies */
    uint32_t remote_domid; /* unbound, interdomain */
    uint32_t remote_port;  /* interdomain */
    uint32_t irq;          /* the VIRQ or physical interrupt */
};
XC_MUST_CHECK int xc_evtchn_get_status(struct xc_handle *h, uint32_t domid, uint32_t port,
                                       struct xc_evtchn_status *status);

/* Close all of a domain's event channels. */
XC_MUST_CHECK int xc_evtchn_reset(struct xc_handle *h, uint32_t domid);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_EVTCHN_H */
