/* fake: a domain has no processor state; the counters let tests see what core asked for. */
#ifndef ARCH_DOMAIN_H
#define ARCH_DOMAIN_H

#include <hospes/lock.h>
#include <hospes/page.h>

#define MAX_PIRQS 256u

struct arch_domain {
    unsigned int relinquish_calls;
    uint32_t emulation_flags;
};
struct arch_vcpu {
    unsigned int kicks, time_updates;
    bool events_on; /* of vcpus without a vcpu_info */
};

#endif
