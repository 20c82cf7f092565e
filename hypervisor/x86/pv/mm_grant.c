/*
 * Grants in page tables. The frame's references are the grant code's, taken before arch_grant_map
 * and dropped after arch_grant_unmap, so these only write entries; but an entry that a guest
 * overwrites by itself drops them as for any mapping, and then the unmapping finds another entry
 * and fails.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include "mm.h"

/* Cache attributes come as in a grant's flags (GTF_PWT, GTF_PCD, GTF_PAT: bits 5..7). */
static pte_t grant_flags(unsigned int flags, unsigned int cache_flags)
{
    pte_t e = PTE_P | PTE_A | PTE_D | PTE_NX;

    if (flags & GNTMAP_application_map) {
        e |= PTE_US;
    }
    if (!(flags & GNTMAP_readonly)) {
        e |= PTE_RW;
    }
    e |= ((pte_t)(flags >> _GNTMAP_guest_avail0) << 9) & PTE_AVAIL;
    e |= cache_flags & GTF_PWT ? PTE_PWT : 0;
    e |= cache_flags & GTF_PCD ? PTE_PCD : 0;
    e |= cache_flags & GTF_PAT ? PTE_PAT : 0;
    return pv_adjust_l1(e);
}

/* A locked level-1 table of the current domain with the entry that is meant. */
struct l1_slot {
    struct page_info *table;
    pte_t *entry;
};

static void slot_release(struct l1_slot *s)
{
    page_unlock_inline(s->table);
    put_page_inline(s->table);
}

/* addr: a virtual address, or with GNTMAP_contains_pte the entry's machine address. */
static __always_inline bool slot_acquire(struct l1_slot *s, uint64_t addr, bool contains_pte)
{
    mfn_t m = mfn(addr >> PAGE_SHIFT);

    if (contains_pte) {
        if (addr & (sizeof(pte_t) - 1) || !mfn_valid(m)) {
            return false;
        }
        s->entry = (pte_t *)((char *)mfn_to_virt(m) + (addr & (PAGE_SIZE - 1)));
    } else {
        s->entry = pv_walk_l1(current, addr, &m);
        if (!s->entry) {
            return false;
        }
    }
    s->table = mfn_to_page(m);
    if (!get_page_inline(s->table, current->domain)) {
        return false;
    }
    if (page_lock_inline(s->table)) {
        if ((s->table->type_info & PGT_TYPE_MASK) == PGT_L1) {
            return true;
        }
        page_unlock(s->table);
    }
    put_page(s->table);
    return false;
}

int arch_grant_map(uint64_t addr, mfn_t m, unsigned int flags, unsigned int cache_flags)
{
    struct l1_slot s;
    pte_t old;

    if (!slot_acquire(&s, addr, (flags & GNTMAP_contains_pte) != 0)) {
        return GNTST_general_error;
    }
    old = __atomic_exchange_n(s.entry, pte_make(m, grant_flags(flags, cache_flags)),
                              __ATOMIC_ACQ_REL);
    slot_release(&s);
    pv_put_data_page(old, current->domain);
    return GNTST_okay;
}

/* Takes the entry of a virtual address away; its references become the caller's. */
static bool steal_entry(uint64_t addr, pte_t *e)
{
    struct l1_slot s;

    if (!slot_acquire(&s, addr, false)) {
        return false;
    }
    *e = __atomic_exchange_n(s.entry, 0, __ATOMIC_ACQ_REL);
    slot_release(&s);
    return true;
}

int arch_grant_unmap(uint64_t addr, mfn_t m, uint64_t new_addr, unsigned int flags)
{
    bool contains_pte = (flags & GNTMAP_contains_pte) != 0;
    pte_t expected = grant_flags(flags, 0), ne = 0, old;
    int rc = GNTST_general_error;
    struct l1_slot s;

    if (new_addr != 0 && (contains_pte || !steal_entry(new_addr, &ne))) {
        return GNTST_general_error;
    }
    if (slot_acquire(&s, addr, contains_pte)) {
        old = READ_ONCE(*s.entry);
        if (mfn_eq(pte_mfn(old), m) && ((old ^ expected) & (PTE_P | PTE_RW)) == 0) {
            WRITE_ONCE(*s.entry, ne);
            rc = GNTST_okay;
        }
        slot_release(&s);
    }
    if (rc != GNTST_okay) {
        pv_put_data_page(ne, current->domain);
    }
    return rc;
}
