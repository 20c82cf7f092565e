/*
 * Memory of running guests: their targets, and Domain 0's.
 */
#ifndef XEND_BALLOON_H
#define XEND_BALLOON_H

#include "xend/domain.h"

/*
 * Ask a guest to have mib MiB: memory/target in the store, and the hypervisor's limit raised where
 * it grows. It takes what time it needs. 0 or -errno with the sentence (beyond its maximum; more
 * than is free; Domain 0 below its share).
 */
int balloon_set_target(struct session *s, struct domain *d, uint64_t mib, struct error *err);
/* The most a domain can have. */
int balloon_set_max(struct session *s, struct domain *d, uint64_t mib, struct error *err);

/*
 * Shrink Domain 0 by about kib KiB, never below settings.dom0_min_mem, and wait for it at most 20
 * seconds. How much was gained is seen in the hypervisor's free memory.
 */
void balloon_dom0(struct session *s, uint64_t kib);

#endif
