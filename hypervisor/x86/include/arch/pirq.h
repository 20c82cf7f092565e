/* A domain's physical interrupts; binding is in <hospes/arch.h>, mapping by PHYSDEVOP_*. The table
 * is made when the first is mapped. */
#ifndef ARCH_PIRQ_H
#define ARCH_PIRQ_H

#include <hospes/types.h>

/* Unbinds and unmaps all of a dying domain that does not run any more; may be called again. */
void pirq_domain_release(struct domain *d);
/* The table's memory, when no reference to the domain is left. */
void pirq_domain_free(struct domain *d);

#endif
