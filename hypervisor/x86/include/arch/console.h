/* The console's devices on a PC. */
#ifndef ARCH_CONSOLE_H
#define ARCH_CONSOLE_H

#include <hospes/types.h>

void ns16550_init_early(void); /* after cmdline_parse: output */
void ns16550_init_irq(void);   /* after timers and interrupts: input */
void vga_init(void);
void vga_endboot(void); /* the screen goes to Domain 0 unless vga=keep */
#endif
