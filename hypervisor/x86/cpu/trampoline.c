/* The page tables of a CPU's first moments: the hypervisor's, and the low 4 GiB at address 0. */
#include <hospes/lib.h>
#include <arch/boot.h>
#include <arch/layout.h>
#include <arch/mm.h>
#include "trampoline.h"

/* head.S's own tables still map the low 4 GiB at 0; its top level gets the hypervisor's slots. */
void __init trampoline_prepare_tables(void)
{
    for (unsigned int i = HYPERVISOR_FIRST_SLOT; i < PTES_PER_TABLE; i++) {
        boot_l4[i] = idle_pg_table[i];
    }
}

uint64_t trampoline_cr3(void)
{
    return __pa_image(boot_l4);
}
