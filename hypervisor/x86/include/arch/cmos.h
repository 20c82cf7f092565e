/* The CMOS memory and clock behind an index and a data port; every use of the pair is under one
 * lock. Any context but NMI. Bit 7 of the index, which holds back NMIs, is never set. */
#ifndef ARCH_CMOS_H
#define ARCH_CMOS_H

#include <hospes/types.h>

/* Bit 7 of the index port holds back NMIs: it is never set here. */
uint8_t cmos_read(uint8_t index);
void cmos_write(uint8_t index, uint8_t value);

#endif
