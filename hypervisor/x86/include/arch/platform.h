/*
 * Which of the machine's resources the hypervisor itself uses: what Domain 0 must not be given.
 * Implemented where the devices are found (x86/acpi, x86/irq, x86/console).
 */
#ifndef ARCH_PLATFORM_H
#define ARCH_PLATFORM_H

#include <hospes/types.h>

unsigned int platform_console_ioport(void); /* first of the UART's 8 ports; 0: not used */
unsigned int platform_pmtimer_ioport(void); /* ACPI PM timer, 4 bytes; 0: none or in memory */
unsigned int platform_nr_ioapics(void);
uint64_t platform_ioapic_paddr(unsigned int i);

#endif
