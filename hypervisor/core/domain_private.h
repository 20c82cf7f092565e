/* Between domain.c and domain_destroy.c: not for others. */
#ifndef CORE_DOMAIN_PRIVATE_H
#define CORE_DOMAIN_PRIVATE_H

#include <hospes/domain.h>

void domain_keys_init(void);
/* The softirq that tells the toolstack. */
void domain_pause_init(void);
/* Takes d off the list: lookups do not find it any more. */
void domain_unlist(struct domain *d);
/* Frees what domain_create made, as far as it came; no vcpu is left. */
void domain_free(struct domain *d);
/* The last reference is gone. */
void domain_destroy(struct domain *d);

#endif
