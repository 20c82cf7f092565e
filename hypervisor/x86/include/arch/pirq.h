/* A domain's physical interrupts; binding is in <hospes/arch.h>, mapping by PHYSDEVOP_*. */
#ifndef ARCH_PIRQ_H
#define ARCH_PIRQ_H

#include <hospes/types.h>

/* Unbinds and unmaps all; the domain does not run any more. From arch_domain_destroy. */
void pirq_table_destroy(struct domain *d);
unsigned int pirq_nr_gsis(void);

#endif
