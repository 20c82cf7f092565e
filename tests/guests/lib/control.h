/* What several tests do as Domain 0: look at the machine's memory, make and end a second domain. */
#ifndef GUEST_CONTROL_H
#define GUEST_CONTROL_H

#include "guest.h"
#include <xen/domctl.h>
#include <xen/sysctl.h>

/* The hypercall with command and version filled in: 0 or -errno. */
long domctl(struct xen_domctl *op, unsigned int cmd);
void physinfo(struct xen_sysctl_physinfo *info);
/* Pages that nobody has; those of a domain that has just ended come back after a while. */
unsigned long free_pages(void);
/* Waits until as many are free, or for a good while: how many are missing. */
long pages_lost(unsigned long before);
/* Presses the hypervisor's debug keys. */
void debug_keys(const char *keys);

#define SECOND_DOMAIN 7u
/* A PV domain SECOND_DOMAIN of `vcpus` vcpus that do not run, with `pages` pages: frames[] becomes
 * their frame numbers; room: more pages that it may have. Bails out when that does not work. */
void create_second_domain(unsigned int vcpus, unsigned long *frames, unsigned int pages,
                          unsigned int room);
/* Destroys it, to the end of the call. 0 or -errno. */
long destroy_second_domain(void);
/* Changes the entry of our page va to a frame of `owner`: 0 or -errno. */
long map_foreign(const void *va, uint64_t pte, domid_t owner);

#endif
