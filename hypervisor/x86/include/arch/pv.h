/* The PV CPU, for those who build domains. Implemented in x86/pv. */
#ifndef ARCH_PV_H
#define ARCH_PV_H

#include <hospes/types.h>

/* Writes the hypercall page of a domain's kind into the page at va (mapped here). */
void hypercall_page_fill(const struct domain *d, void *va);

/* A first vcpu as the start-of-day ABI has it: kernel mode, flat selectors, events masked,
 * interrupts on, at entry with that stack, rsi = start info. guest_table is set already. It becomes
 * runnable when its domain is unpaused. -EINVAL: an address that no guest can have. */
int pv_start_vcpu(struct vcpu *v, unsigned long entry, unsigned long sp,
                  unsigned long start_info) __must_check;

/* v is current: its time has changed. */
void pv_update_time_area(struct vcpu *v);

#endif
