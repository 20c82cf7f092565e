/* PCI configuration space. x86/irq/pci.c. */
#ifndef ARCH_PCI_H
#define ARCH_PCI_H

#include <hospes/types.h>

struct pci_id {
    uint16_t segment;
    uint8_t bus, devfn;
};
/* size 1, 2 or 4; all ones where there is nothing. */
uint32_t pci_read(struct pci_id id, unsigned int reg, unsigned int size);
void pci_write(struct pci_id id, unsigned int reg, unsigned int size, uint32_t v);
/* Domain 0's access to port 0xcfc + offset with the address that it has written to 0xcf8 (kept by
 * the emulation of its I/O, per domain): one step. Returns what was read. */
uint32_t pci_guest_access(uint32_t address, unsigned int offset, unsigned int size, bool write,
                          uint32_t v);

/* Boot, when ACPI's tables have been read: areas of configuration space in memory (MCFG). */
void pci_mmcfg_init(void);
bool pci_mmcfg_contains(mfn_t m);
/* Domain 0 writes bytes (1, 2, 4; aligned) to a function's space in memory; false: m is none. */
bool pci_mmcfg_guest_write(mfn_t m, unsigned int reg, unsigned int bytes, uint32_t v);

#endif
