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

/* Do these bytes lie in a hypercall buffer? */
bool fake_in_buffer(uint64_t at, size_t size);

#endif /* HOSPES_TESTS_LIBXENCTRL_FAKE_HV_H */
