/*
 * fake_hv.h: between the fake machine's drivers and its hypervisor.
 */
#ifndef HOSPES_TESTS_LIBXENCTRL_FAKE_HV_H
#define HOSPES_TESTS_LIBXENCTRL_FAKE_HV_H

#include "tests/unit/libxenctrl/fake.h"

#define FAKE_FIRST 1024u /* machine frames below belong to nobody */

struct privcmd_hypercall;
/* Make a hypercall; the result as the hypervisor gives it. */
long fake_hypercall(const struct privcmd_hypercall *call);

/* Memory that a hypercall points to: fails the test unless all of it is in a hypercall buffer. */
void *fake_guest(uint64_t at, size_t size);
static inline void *guest_handle(const void *p, size_t size)
{
    return fake_guest((uintptr_t)p, size);
}

/* The sysctl whose argument is at @at. */
long fake_sysctl(uint64_t at);
/* What is told of a domain. */
void fake_get_info(uint32_t domid, struct xen_domctl_getdomaininfo *info);

/* Do these bytes lie in a hypercall buffer? */
bool fake_in_buffer(uint64_t at, size_t size);

#endif /* HOSPES_TESTS_LIBXENCTRL_FAKE_HV_H */
