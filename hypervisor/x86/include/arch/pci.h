/* PCI configuration space and CMOS by their port pairs: an index port and a data port each, so
 * every use of both is under one lock. Any context but NMI. */
#ifndef ARCH_PCI_H
#define ARCH_PCI_H

#include <hospes/types.h>

/* cf8: as written to port 0xcf8 (enable bit, bus, device, function, register); offset 0..3 within
 * the register, bytes 1, 2 or 4 and not over its end. */
uint32_t pci_conf_read(uint32_t cf8, unsigned int offset, unsigned int bytes);
void pci_conf_write(uint32_t cf8, unsigned int offset, unsigned int bytes, uint32_t value);

uint8_t cmos_read(uint8_t index);
void cmos_write(uint8_t index, uint8_t value);

#endif
