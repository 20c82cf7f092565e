/* The CMOS RAM behind its index and data port: every use of both is under one lock. Any context but
 * NMI. x86/cpu/cmos.c. */
#ifndef ARCH_CMOS_H
#define ARCH_CMOS_H

#include <hospes/types.h>

/* Bit 7 of the index port holds back NMIs: it is never set here. */
uint8_t cmos_read(uint8_t index);
void cmos_write(uint8_t index, uint8_t value);

#endif
