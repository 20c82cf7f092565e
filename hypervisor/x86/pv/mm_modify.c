/*
 * Changing one entry of a table that is in use. The caller has locked the table (page_lock), so two
 * vcpus never write the same table at once; references of the new entry are taken before it is
 * written, those of the old one dropped afterwards, from one reading of it. The CPU may set
 * accessed and dirty bits at any time.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <arch/xpti.h>
#include "mm.h"

/* ---- putting off ---- */

void pv_defer_put(struct page_info *pg, bool partial)
{
    struct vcpu *v = current;

    BUG_ON(v->arch.old_guest_table != NULL);
    v->arch.old_guest_table = pg;
    v->arch.old_guest_table_partial = partial;
}

int pv_put_old_guest_table(struct vcpu *v)
{
    struct page_info *pg = v->arch.old_guest_table;
    int rc;

    if (!pg) {
        return 0;
    }
    rc =
        v->arch.old_guest_table_partial ? put_page_type_partial(pg, true) : put_page_type(pg, true);
    if (rc == 0) {
        v->arch.old_guest_table = NULL;
        put_page(pg);
        return 0;
    }
    if (rc == -ERESTART) {
        v->arch.old_guest_table_partial = true;
    }
    return -ERESTART;
}

long pv_end_batch(unsigned int op, int rc)
{
    if (pv_put_old_table(current) == 0) {
        return rc;
    }
    return (long)hypercall_create_continuation(op, "hihi", 0ul, MMU_UPDATE_PREEMPTED, 0ul,
                                               (unsigned int)rc);
}

/* ---- writing ---- */

/* Writes ne where the old entry was *oe (updated to what it was in the end, but for A and D). */
static __always_inline void write_entry(pte_t *p, pte_t *oe, pte_t ne, bool keep_ad)
{
    if (!keep_ad) {
        *oe = __atomic_exchange_n(p, ne, __ATOMIC_ACQ_REL);
        return;
    }
    while (!__atomic_compare_exchange_n(p, oe, ne | (*oe & (PTE_A | PTE_D)), false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
}

static bool same_but_free_bits(pte_t a, pte_t b)
{
    return (a & b & PTE_P) && ((a ^ b) & ~PTE_FREE_BITS) == 0;
}

static __always_inline int mod_l1(pte_t *p, pte_t ne, bool keep_ad, struct domain *pt_owner,
                                  struct domain *pg_owner)
{
    pte_t oe = READ_ONCE(*p);

    if ((ne & PTE_P) && unlikely(ne & PTE_CACHE) && (ne & pv_l1_disallowed(pt_owner))) {
        return -EINVAL;
    }
    if (same_but_free_bits(oe, ne)) {
        write_entry(p, &oe, pv_adjust_l1(ne), keep_ad);
        return 0;
    }
    if (ne & PTE_P) {
        int rc = pv_get_data_page(&ne, pt_owner, pg_owner);

        if (rc != 0) {
            return rc;
        }
    }
    write_entry(p, &oe, ne, keep_ad);
    pv_put_data_page(oe, pt_owner);
    return 0;
}

/* An entry has let go of a table: at once for level 1, later for those that can be long. */
static void put_lower_table(pte_t oe, struct page_info *table, unsigned int level)
{
    struct page_info *pg = mfn_to_page(pte_mfn(oe));

    if (pg == table) {
        return;
    }
    if (pv_is_linear(oe, table)) {
        page_type_linear_to_plain(pg, table);
        pv_defer_put(pg, false);
    } else if (level == 2) {
        put_page_and_type(pg);
    } else {
        pv_defer_put(pg, false);
    }
}

/* A new lower table. -EINVAL with a half-undone one put off; -ERESTART: call again. */
static int get_lower_table(pte_t ne, struct page_info *table, unsigned int level, unsigned int i,
                           struct domain *d)
{
    int rc = pv_get_table(ne, table, level, i, d, false, true);

    switch (rc) {
    case -EAGAIN:
        pv_defer_put(mfn_to_page(pte_mfn(ne)), true);
        return -EINVAL;
    case -ERESTART: /* PGT_PARTIAL keeps it for the next try */
        if (pv_owner_dies(d)) {
            pv_defer_put(mfn_to_page(pte_mfn(ne)), true);
            return -EINVAL;
        }
        put_page(mfn_to_page(pte_mfn(ne)));
        return rc;
    case -EINTR:
        return -ERESTART;
    default:
        return rc;
    }
}

static __noinline int mod_table(struct page_info *table, unsigned int level, pte_t *p, pte_t ne,
                                bool keep_ad, struct domain *d)
{
    unsigned int i = (unsigned int)(p - map_table(table));
    pte_t oe = READ_ONCE(*p);
    int rc;

    if ((ne & PTE_P) && (ne & ~PTE_TABLE_ALLOWED)) {
        return -EINVAL;
    }
    if (same_but_free_bits(oe, ne)) {
        write_entry(p, &oe, ne | PTE_US, keep_ad);
        if (level == 4) {
            xpti_l4_changed(d, page_to_mfn(table));
        }
        return 0;
    }
    if (ne & PTE_P) {
        rc = get_lower_table(ne, table, level, i, d);
        if (rc != 0) {
            return rc;
        }
        ne |= PTE_US;
    }
    write_entry(p, &oe, ne, keep_ad);
    if (level == 4) {
        xpti_l4_changed(d, page_to_mfn(table));
    }
    if (oe & PTE_P) {
        put_lower_table(oe, table, level);
    }
    return 0;
}

int pv_mod_entry(struct page_info *pg, pte_t *p, pte_t ne, bool keep_ad, struct domain *pt_owner,
                 struct domain *pg_owner)
{
    unsigned int level = type_level(pg->type_info);
    unsigned int i = (unsigned int)((unsigned long)p & (PAGE_SIZE - 1)) / sizeof(*p);

    if (likely(level == 1)) {
        return keep_ad ? mod_l1(p, ne, true, pt_owner, pg_owner)
                       : mod_l1(p, ne, false, pt_owner, pg_owner);
    }
    if (level < 2 || level > 4 || pt_owner != pg_owner || !is_guest_entry(level, i)) {
        return -EINVAL;
    }
    return mod_table(pg, level, p, ne, keep_ad, pt_owner);
}
