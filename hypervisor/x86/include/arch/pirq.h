/* A domain's view of physical interrupts: life with the domain. x86/irq/pirq.c; binding to event
 * channels is in <hospes/arch.h>. */
#ifndef ARCH_PIRQ_H
#define ARCH_PIRQ_H

#include <hospes/types.h>

/* d->arch.pirqs; 0 or -ENOMEM. */
int pirq_domain_create(struct domain *d) __must_check;
/* Gives back every interrupt of a dying domain; may be called again. */
void pirq_domain_release(struct domain *d);
/* The memory; takes a domain whose pirqs were never made. */
void pirq_domain_destroy(struct domain *d);

#endif
