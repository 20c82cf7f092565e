/*
 * Domains that the hypervisor has and xend did not create: Domain 0, another tool's.
 */
#ifndef XEND_FOREIGN_H
#define XEND_FOREIGN_H

#include "xend/domain.h"

/*
 * A struct domain for the moment, with one reference: number, UUID, memory and vCPUs as the
 * hypervisor tells, the name from the store. It is not among the known domains.
 */
struct domain *foreign_from_info(struct session *s, const struct xc_domain_info *info);
/* NULL if there is no such domain. */
struct domain *foreign_by_domid(struct session *s, uint32_t domid);
/* One with this name or this UUID (NULL: the name counts alone). Known domains are passed over. */
struct domain *foreign_find(struct session *s, const char *name, const char *uuid);

#endif
