/* What others need of the I/O APICs. */
#ifndef IRQ_IOAPIC_H
#define IRQ_IOAPIC_H

#include <hospes/types.h>

/* PHYSDEVOP_apic_read, _write: -EINVAL when there is no such I/O APIC or register. */
int ioapic_guest_read(uint64_t address, uint32_t reg, uint32_t *v) __must_check;
int ioapic_guest_write(uint64_t address, uint32_t reg, uint32_t v) __must_check;

#endif
