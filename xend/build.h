/*
 * A domain's coming and going: from a configuration to a paused guest, and back to nothing.
 *
 * These are the two long operations that everything else (create, start, restart, recovery) is made
 * of. Whoever calls them made the domain busy and wrote the intent into its record.
 */
#ifndef XEND_BUILD_H
#define XEND_BUILD_H

#include "xend/domain.h"

/*
 * Build d: domain, kernel, nodes in the store, console, devices. It is paused then, and d has its
 * domid. On failure nothing is left behind but d itself. 0 or -errno with the sentence.
 */
int domain_build(struct session *s, struct domain *d, struct error *err);

/*
 * Take down whatever there is of d in hypervisor, store and backends. Works on a domain that was
 * built in part, and on one that somebody else destroyed already. d has no domid afterwards.
 */
void domain_unbuild(struct session *s, struct domain *d);

/* Can the kernel be booted as a PV guest? Before anything is touched. 0 or -errno */
int domain_check_kernel(struct session *s, const struct domain_config *cfg, struct error *err);

#endif
