/* The page in low memory where other CPUs begin. */
#ifndef CPU_TRAMPOLINE_H
#define CPU_TRAMPOLINE_H

#include <hospes/types.h>

struct trampoline_data {
    uint32_t cr3, pad; /* below 4 GiB, maps the low memory and the image */
    uint64_t idle_cr3, stack, entry;
} __packed;
extern const char trampoline_start[], trampoline_end[], trampoline_args[];

/* Tables with the low 4 GiB at 0 besides all of the hypervisor's. */
void trampoline_prepare_tables(void);
uint64_t trampoline_cr3(void);
void start_secondary(void);

#endif
