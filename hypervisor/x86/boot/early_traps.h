/* The interrupt table of the first moments; cpu_init_tables puts the real entry points into it. */
#ifndef BOOT_EARLY_TRAPS_H
#define BOOT_EARLY_TRAPS_H

extern const char early_trap_stubs[];
void early_traps_init(void);

#endif
