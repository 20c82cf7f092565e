/*
 * What a table for guests' mode is made of: pure code on arrays of entries, so that a test can look
 * at each (tests/unit/xpti_fill.c). Read first: <arch/xpti.h>.
 */
#ifndef X86_PV_XPTI_FILL_H
#define X86_PV_XPTI_FILL_H

#include <arch/layout.h>
#include <arch/pte.h>

/* Whole entries, which other CPUs may be changing. */
static inline void xpti_copy_entries(pte_t *to, const pte_t *from, unsigned long n)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

/*
 * Makes root the guest's table l4 with nothing of the hypervisor but the machine-to-physical table,
 * the domain's windows to descriptor tables, and `minimal` in the image's slot.
 */
static inline void xpti_fill_root(pte_t *root, const pte_t *l4, pte_t minimal)
{
    xpti_copy_entries(root, l4, HYPERVISOR_FIRST_SLOT);
    for (unsigned int i = HYPERVISOR_FIRST_SLOT; i <= HYPERVISOR_LAST_SLOT; i++) {
        root[i] = 0;
    }
    root[HYPERVISOR_FIRST_SLOT] = l4[HYPERVISOR_FIRST_SLOT];
    root[PERDOMAIN_SLOT] = l4[PERDOMAIN_SLOT];
    root[PT_INDEX(XEN_VIRT_START, 4)] = minimal;
    xpti_copy_entries(root + HYPERVISOR_LAST_SLOT + 1, l4 + HYPERVISOR_LAST_SLOT + 1,
                      PTES_PER_TABLE - HYPERVISOR_LAST_SLOT - 1);
}

/*
 * Slot i of l4 refers to a top-level table (a linear page table): through that one the hypervisor's
 * slots would appear again. To itself: so does the root to itself. To another one: left out.
 */
static inline void xpti_replace_linear(pte_t *root, unsigned int i, mfn_t l4, mfn_t root_mfn)
{
    root[i] = mfn_eq(pte_mfn(root[i]), l4) ? pte_make(root_mfn, pte_flags(root[i])) : 0;
}

#endif
