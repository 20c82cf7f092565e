/*
 * No hypervisor: the store serves sockets only, and takes every domain to exist. For tools, for
 * tests and for machines that boot Xen later. Read platform.h first.
 */
#include "xenstored/platform.h"

#include <errno.h>
#include <stddef.h>
#include <xen/xen.h>

const struct platform *platform = &platform_none;

static int none_init(int event_fd)
{
    return 0;
}

static int none_event_fd(void)
{
    return -1;
}

static int none_bind(unsigned remote_domid, uint32_t remote_port)
{
    return -ENOSYS;
}

static int none_bind_virq(unsigned virq)
{
    return -ENOSYS;
}

static void none_port(uint32_t port)
{
}

static int none_pending(uint32_t *ports, unsigned max)
{
    return 0;
}

static struct xenstore_domain_interface *none_map(unsigned domid, int *error)
{
    *error = -ENOSYS;
    return NULL;
}

static void none_unmap(unsigned domid, struct xenstore_domain_interface *page)
{
}

static int none_dom0_port(void)
{
    return -ENOSYS;
}

static int none_domain_state(unsigned domid, struct domain_state *state)
{
    *state = (struct domain_state){0};
    return domid < DOMID_FIRST_RESERVED ? 0 : -ENOENT;
}

const struct platform platform_none = {
    .init = none_init,
    .event_fd = none_event_fd,
    .bind = none_bind,
    .bind_virq = none_bind_virq,
    .unbind = none_port,
    .notify = none_port,
    .pending = none_pending,
    .map = none_map,
    .unmap = none_unmap,
    .dom0_port = none_dom0_port,
    .domain_state = none_domain_state,
};
