/* The hypervisor's own function names. x86/cpu/symbols.c. */
#ifndef ARCH_SYMBOLS_H
#define ARCH_SYMBOLS_H

#include <hospes/types.h>

struct symbol {
    const char *name;
    unsigned long start, size;
};
bool symbol_lookup(unsigned long addr, struct symbol *out);
/* In ascending order of address; false: no more. */
bool symbol_by_index(uint32_t i, struct symbol *out);
uint32_t symbol_total(void);

#endif
