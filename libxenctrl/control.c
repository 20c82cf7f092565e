/*
 * control.c: how every domctl and sysctl is made.
 *
 * Read private.h first. The structure lies in the handle's control page; a caller begins one, fills
 * in its arguments, makes the call and reads the answer from the same structure.
 */
#include <unistd.h>

#include "libxenctrl/private.h"

_Static_assert(sizeof(struct xen_domctl) <= XC_PAGE_SIZE, "a domctl fits in the control page");
_Static_assert(sizeof(struct xen_sysctl) <= XC_PAGE_SIZE, "a sysctl fits in the control page");

/* -EAGAIN: the hypervisor was busy with the same and asks to come again. */
#define RETRIES     1000
#define RETRY_AFTER 1000 /* us */

static int repeat_call(struct xc_handle *h, unsigned int nr)
{
    long r;

    for (int i = 0; i < RETRIES; i++) {
        r = xc_call(h, nr, (uintptr_t)h->control, 0, 0);
        if (r != -EAGAIN) {
            return (int)r;
        }
        (void)usleep(RETRY_AFTER);
    }
    return -EAGAIN;
}

struct xen_domctl *xc_domctl_begin(struct xc_handle *h, uint32_t cmd, uint32_t domid)
{
    struct xen_domctl *d = xc_control(h, sizeof(*d));

    d->cmd = cmd;
    d->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    d->domain = xc_domid(domid);
    return d;
}

int xc_domctl(struct xc_handle *h)
{
    return repeat_call(h, __HYPERVISOR_domctl);
}

int xc_domctl_named(struct xc_handle *h, const char *what)
{
    const struct xen_domctl *d = h->control;
    uint32_t domid = d->domain;
    int rc = xc_domctl(h);

    if (rc < 0) {
        return xc_fail(h, rc, "Domain %u can't be %s: %s.", domid, what, xc_reason(rc));
    }
    return 0;
}

struct xen_sysctl *xc_sysctl_begin(struct xc_handle *h, uint32_t cmd)
{
    struct xen_sysctl *s = xc_control(h, sizeof(*s));

    s->cmd = cmd;
    s->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return s;
}

int xc_sysctl(struct xc_handle *h)
{
    return repeat_call(h, __HYPERVISOR_sysctl);
}
