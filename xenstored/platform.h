/*
 * What xenstored needs from the machine below: event channels, foreign pages, the list of domains.
 *
 * Three implementations of one table: platform_xen.c (the real one, over Linux's device files),
 * platform_none.c (no hypervisor: only sockets), and platform_fake.c (tests: rings are files).
 */
#ifndef XENSTORED_PLATFORM_H
#define XENSTORED_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

struct xenstore_domain_interface;

/* What is known of a domain. */
struct domain_state {
    bool dying;   /* it is being destroyed */
    bool stopped; /* it has shut down or crashed */
};

struct platform {
    /*
     * Opens what is needed. event_fd: an event channel descriptor inherited over a live update (its
     * ports stay bound), or -1. 0 or -errno.
     */
    int (*init)(int event_fd);

    /* The descriptor to poll for pending ports, or -1. */
    int (*event_fd)(void);

    /* Binds to the port that remote offers us. The local port (> 0) or -errno. */
    int (*bind)(unsigned remote_domid, uint32_t remote_port);
    int (*bind_virq)(unsigned virq);
    void (*unbind)(uint32_t port);
    void (*notify)(uint32_t port);

    /* Takes at most max pending ports and unmasks them; the count or -errno. */
    int (*pending)(uint32_t *ports, unsigned max);

    /* Maps the store page of a domain; NULL and *error = -errno on failure. */
    struct xenstore_domain_interface *(*map)(unsigned domid, int *error);
    void (*unmap)(unsigned domid, struct xenstore_domain_interface *page);

    /* Domain 0's own offer: its port, or -errno. */
    int (*dom0_port)(void);

    /* 0 and *state, or -ENOENT where there is no such domain. */
    int (*domain_state)(unsigned domid, struct domain_state *state);
};

extern const struct platform platform_xen, platform_none, platform_fake;

/* The one in use. Set once, in main. */
extern const struct platform *platform;

#endif
