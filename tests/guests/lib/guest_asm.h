/* Constants that start.S, the linker script and C share. */
#ifndef GUEST_ASM_H
#define GUEST_ASM_H

#define GUEST_VIRT_BASE 0xffffffff80000000

#endif
