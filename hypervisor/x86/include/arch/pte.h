/*
 * x86-64 page-table entries: bits, indices, and what of them a PV guest may choose.
 * Sources: AMD APM 2, "Page-Translation-Table Entry Fields"; Intel SDM 3, "4-Level Paging".
 */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include <hospes/types.h>

typedef uint64_t pte_t; /* an entry of any level */

#define PTE_P      BIT(0)
#define PTE_RW     BIT(1)
#define PTE_US     BIT(2)
#define PTE_PWT    BIT(3)
#define PTE_PCD    BIT(4)
#define PTE_A      BIT(5)
#define PTE_D      BIT(6)
#define PTE_PAT    BIT(7) /* level 1 */
#define PTE_PS     BIT(7) /* levels 2 and 3: a superpage */
#define PTE_G      BIT(8)
#define PTE_AVAIL  (7ul << 9)      /* software's: the guest's */
#define PTE_AVAILH (0x7fful << 52) /* software's: the guest's, but for what we use ourselves */
#define PTE_NX     BIT(63)
#define PTE_FRAME  0x000ffffffffff000ul /* bits 51..12 */
#define PTE_CACHE  (PTE_PWT | PTE_PCD | PTE_PAT)

#define PTES_PER_TABLE 512u
#define LEVEL_SHIFT(l) (PAGE_SHIFT + 9 * ((l)-1)) /* of level 1..4 */
#define LEVEL_SIZE(l)  (1ul << LEVEL_SHIFT(l))
#define PT_INDEX(va, l) \
    ((unsigned int)(((unsigned long)(va) >> LEVEL_SHIFT(l)) & (PTES_PER_TABLE - 1)))

/*
 * The memory types that PAT gives the eight combinations of PTE_PAT, PTE_PCD, PTE_PWT: the layout
 * that PV guests read in MSR IA32_PAT and that Linux adapts to (WB WT UC- UC WC WP UC UC).
 */
#define HYP_PAT 0x050100070406ul

#define PTE_HYP_RW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PTE_HYP_RO (PTE_P | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PTE_HYP_RX (PTE_P | PTE_A | PTE_D | PTE_G)
#define PTE_HYP_UC (PTE_HYP_RW | PTE_PCD | PTE_PWT)
/* Entries of our upper levels carry every permission; the last level decides. */
#define PTE_HYP_TABLE (PTE_P | PTE_RW | PTE_A | PTE_D)

static inline mfn_t pte_mfn(pte_t e)
{
    return mfn((e & PTE_FRAME) >> PAGE_SHIFT);
}
static inline pte_t pte_make(mfn_t m, pte_t flags)
{
    return (m.v << PAGE_SHIFT) | flags;
}
static inline pte_t pte_flags(pte_t e)
{
    return e & ~PTE_FRAME;
}

static inline bool is_canonical(unsigned long va)
{
    return (long)va >> 47 == (long)va >> 63;
}
/* A guest's own part of the address space (both halves; canonical). */
static inline bool is_guest_address(unsigned long va)
{
    return is_canonical(va) && (va < 0xffff800000000000ul || va >= 0xffff880000000000ul);
}

#endif
