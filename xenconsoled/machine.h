/*
 * What xenconsoled needs from the machine below: event channels, console pages, the hypervisor's
 * log.
 *
 * Two implementations of one table: machine_xen.c (the real one) and machine_fake.c (tests: pages
 * are files).
 */
#ifndef XENCONSOLED_MACHINE_H
#define XENCONSOLED_MACHINE_H

#include <stddef.h>
#include <stdint.h>

struct xencons_interface;

struct machine {
    int (*init)(void); /* 0 or -errno */

    /* The descriptor to poll for pending ports. */
    int (*event_fd)(void);

    /* Binds to a port that a domain offers, or to a VIRQ. The local port (> 0) or -errno. */
    int (*bind)(unsigned domid, uint32_t remote_port);
    int (*bind_virq)(unsigned virq);
    void (*unbind)(uint32_t port);
    void (*notify)(uint32_t port);

    /* Takes at most max pending ports; each stays silent until unmask. The count or -errno. */
    int (*pending)(uint32_t *ports, unsigned max);
    void (*unmask)(uint32_t port);

    /*
     * Maps a console page: the domain's grant for it, or frame gfn where there is no grant. NULL
     * and *error = -errno on failure.
     */
    struct xencons_interface *(*map)(unsigned domid, uint64_t gfn, int *error);
    void (*unmap)(struct xencons_interface *page);

    /*
     * The hypervisor's log from position *index on, which is moved. The bytes read, or -errno.
     */
    int (*read_log)(char *out, size_t size, uint32_t *index);
};

extern const struct machine machine_xen, machine_fake;
extern const struct machine *machine;

#endif
