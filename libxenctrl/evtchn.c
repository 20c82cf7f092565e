/*
 * evtchn.c: event channels: the caller's own through /dev/xen/evtchn, other domains' by hypercall.
 *
 * Read private.h first.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "libxenctrl/private.h"
#include <xen/event_channel.h>
#include <xen/evtchn.h>

struct xc_evtchn {
    int fd;
    char error[XC_ERROR_SIZE];
};

static int new_handle(struct xc_evtchn **out, int fd, char *why, size_t why_size)
{
    struct xc_evtchn *e = calloc(1, sizeof(*e));

    *out = e;
    if (e == NULL) {
        xc_explain(why, why_size, "There is no memory left.");
        return -ENOMEM;
    }
    e->fd = fd;
    return 0;
}

int xc_evtchn_open(struct xc_evtchn **out, char *why, size_t why_size)
{
    int fd = xc_sys->open("/dev/xen/evtchn", O_RDWR | O_NONBLOCK);
    int rc = -errno;

    *out = NULL;
    if (fd < 0) {
        xc_explain(why, why_size,
                   rc == -EACCES
                       ? "/dev/xen/evtchn can't be opened: this needs root."
                       : "/dev/xen/evtchn isn't there: either this system does not run on "
                         "the hypervisor, or its driver is missing (modprobe "
                         "xen-evtchn).");
        return rc;
    }
    rc = new_handle(out, fd, why, why_size);
    if (rc < 0) {
        (void)xc_sys->close(fd);
    }
    return rc;
}

int xc_evtchn_adopt(struct xc_evtchn **out, int fd, char *why, size_t why_size)
{
    *out = NULL;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        int rc = -errno;

        xc_explain(why, why_size, "Descriptor %d is no set of event channels: %s.", fd,
                   strerror(-rc));
        return rc;
    }
    return new_handle(out, fd, why, why_size);
}

void xc_evtchn_close(struct xc_evtchn *e)
{
    if (e != NULL) {
        (void)xc_sys->close(e->fd);
        free(e);
    }
}

const char *xc_evtchn_error(const struct xc_evtchn *e)
{
    return e->error;
}

int xc_evtchn_fd(const struct xc_evtchn *e)
{
    return e->fd;
}

/* ioctl(), and its failure as a sentence with @what in front. Returns what ioctl() did. */
static int evtchn_call(struct xc_evtchn *e, unsigned long request, void *arg, const char *what,
                       uint32_t number)
{
    int r = xc_sys->ioctl(e->fd, request, arg);

    if (r < 0) {
        r = -errno;
        xc_explain(e->error, sizeof(e->error), "%s %u: %s.", what, number,
                   r == -ENOTCONN ? "this port isn't ours" : xc_reason(r));
    }
    return r;
}

/* The same for calls that return a port. */
static int evtchn_bind(struct xc_evtchn *e, unsigned long request, void *arg, const char *what,
                       uint32_t number, uint32_t *port)
{
    int r = evtchn_call(e, request, arg, what, number);

    if (r < 0) {
        return r;
    }
    *port = (uint32_t)r;
    return 0;
}

int xc_evtchn_bind_interdomain(struct xc_evtchn *e, uint32_t domid, uint32_t remote, uint32_t *port)
{
    struct ioctl_evtchn_bind_interdomain arg = {.remote_domain = xc_domid(domid),
                                                .remote_port = remote};
    char what[64];

    (void)snprintf(what, sizeof(what), "Domain %u can't be reached at its port", domid);
    return evtchn_bind(e, IOCTL_EVTCHN_BIND_INTERDOMAIN, &arg, what, remote, port);
}

int xc_evtchn_bind_unbound(struct xc_evtchn *e, uint32_t domid, uint32_t *port)
{
    struct ioctl_evtchn_bind_unbound_port arg = {.remote_domain = xc_domid(domid)};

    return evtchn_bind(e, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &arg, "No port can be made for domain",
                       domid, port);
}

int xc_evtchn_bind_virq(struct xc_evtchn *e, uint32_t virq, uint32_t *port)
{
    struct ioctl_evtchn_bind_virq arg = {.virq = virq};

    return evtchn_bind(e, IOCTL_EVTCHN_BIND_VIRQ, &arg, "There is no binding to virtual interrupt",
                       virq, port);
}

int xc_evtchn_unbind(struct xc_evtchn *e, uint32_t port)
{
    struct ioctl_evtchn_unbind arg = {.port = port};
    int r = evtchn_call(e, IOCTL_EVTCHN_UNBIND, &arg, "Nothing can be unbound from port", port);

    return r < 0 ? r : 0;
}

int xc_evtchn_notify(struct xc_evtchn *e, uint32_t port)
{
    struct ioctl_evtchn_notify arg = {.port = port};
    int r = evtchn_call(e, IOCTL_EVTCHN_NOTIFY, &arg, "No event can be sent through port", port);

    return r < 0 ? r : 0;
}

int xc_evtchn_pending_many(struct xc_evtchn *e, uint32_t *ports, unsigned int max)
{
    ssize_t n = xc_sys->read(e->fd, ports, max * sizeof(*ports));

    if (n >= 0) {
        return (int)((size_t)n / sizeof(*ports));
    }
    if (errno == EAGAIN || errno == EINTR) {
        return 0;
    }
    n = -errno;
    xc_explain(e->error, sizeof(e->error), "Events can't be read: %s.",
               n == -EFBIG ? "more of them came than the driver can hold" : strerror((int)-n));
    return (int)n;
}

int xc_evtchn_pending(struct xc_evtchn *e, uint32_t *port)
{
    int n = xc_evtchn_pending_many(e, port, 1);

    return n == 0 ? -EAGAIN : n < 0 ? n : 0;
}

int xc_evtchn_unmask_many(struct xc_evtchn *e, const uint32_t *ports, unsigned int count)
{
    ssize_t n = count > 0 ? xc_sys->write(e->fd, ports, count * sizeof(*ports)) : 0;

    if (n == (ssize_t)(count * sizeof(*ports))) {
        return 0;
    }
    n = n < 0 ? -errno : -EIO;
    xc_explain(e->error, sizeof(e->error), "%u ports from %u on can't be unmasked: %s.", count,
               ports[0], strerror((int)-n));
    return (int)n;
}

int xc_evtchn_unmask(struct xc_evtchn *e, uint32_t port)
{
    return xc_evtchn_unmask_many(e, &port, 1);
}

int xc_evtchn_alloc_unbound(struct xc_handle *h, uint32_t domid, uint32_t remote_domid,
                            uint32_t *port)
{
    struct evtchn_alloc_unbound *a = xc_control(h, sizeof(*a));
    long r;

    a->dom = xc_domid(domid);
    a->remote_dom = xc_domid(remote_domid);
    r = xc_call(h, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (uintptr_t)a, 0);
    if (r < 0) {
        return xc_fail(h, (int)r, "Domain %u can't be given a port for domain %u: %s.", domid,
                       remote_domid, xc_reason((int)r));
    }
    *port = a->port;
    return 0;
}

int xc_evtchn_get_status(struct xc_handle *h, uint32_t domid, uint32_t port,
                         struct xc_evtchn_status *status)
{
    struct evtchn_status *s = xc_control(h, sizeof(*s));
    long r;

    s->dom = xc_domid(domid);
    s->port = port;
    r = xc_call(h, __HYPERVISOR_event_channel_op, EVTCHNOP_status, (uintptr_t)s, 0);
    if (r < 0) {
        return xc_fail(h, (int)r, "Nothing can be learnt of port %u of domain %u: %s.", port, domid,
                       xc_reason((int)r));
    }
    *status = (struct xc_evtchn_status){.status = s->status, .vcpu = s->vcpu};
    if (s->status == EVTCHNSTAT_unbound) {
        status->remote_domid = s->u.unbound.dom;
    } else if (s->status == EVTCHNSTAT_interdomain) {
        status->remote_domid = s->u.interdomain.dom;
        status->remote_port = s->u.interdomain.port;
    } else if (s->status == EVTCHNSTAT_pirq) {
        status->irq = s->u.pirq;
    } else if (s->status == EVTCHNSTAT_virq) {
        status->irq = s->u.virq;
    }
    return 0;
}

int xc_evtchn_reset(struct xc_handle *h, uint32_t domid)
{
    struct evtchn_reset *a = xc_control(h, sizeof(*a));
    long r;

    a->dom = xc_domid(domid);
    r = xc_call(h, __HYPERVISOR_event_channel_op, EVTCHNOP_reset, (uintptr_t)a, 0);
    if (r < 0) {
        return xc_fail(h, (int)r, "The ports of domain %u can't be closed: %s.", domid,
                       xc_reason((int)r));
    }
    return 0;
}
