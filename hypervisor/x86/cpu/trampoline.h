/* The page in low memory where other CPUs begin. */
#ifndef CPU_TRAMPOLINE_H
#define CPU_TRAMPOLINE_H

#include <hospes/types.h>

struct trampoline_data {
    uint32_t cr3, pad; /* maps the low memory at 0, and the image */
    uint64_t stack, entry;
} __packed;
extern const char trampoline_start[], trampoline_end[], trampoline_args[];

void start_secondary(void);

#endif
