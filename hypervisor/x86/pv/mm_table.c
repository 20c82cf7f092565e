/*
 * Validating and devalidating whole tables: what the type references PGT_L1..L4 and PGT_SEGDESC
 * mean. A validated table's present entries all hold their references; one that is being
 * (de)validated holds those of entries [0, nr_validated), and with PARTIAL_ENTRY the general
 * reference of a lower table that is itself partial. Level 1 is done in one go, levels 2 to 4 can
 * be preempted between entries. Read first: core/page_type.c.
 *
 * Linear page tables: an entry may refer to a table of its own level, read-only, so that a guest
 * can read its tables as an array. To its own table: no references are held. To another one, which
 * must be validated already: core/page_type.c counts these so that no chain is longer than one.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <arch/xpti.h>
#include "mm.h"

/* Tables are mostly empty: are the GROUP entries from table[i] on all absent? i is a multiple. */
#define GROUP 8u
static __always_inline bool group_absent(const pte_t *table, unsigned int i)
{
    const pte_t *t = &table[i];

    return !((READ_ONCE(t[0]) | READ_ONCE(t[1]) | READ_ONCE(t[2]) | READ_ONCE(t[3]) |
              READ_ONCE(t[4]) | READ_ONCE(t[5]) | READ_ONCE(t[6]) | READ_ONCE(t[7])) &
             PTE_P);
}

/* ---- level 1 ---- */

static __always_inline int validate_l1_entry(pte_t *p, struct domain *d)
{
    pte_t old = READ_ONCE(*p), e = old;
    int rc;

    if (!(e & PTE_P)) {
        return 0;
    }
    rc = pv_get_data_page(&e, d, d);
    if (rc == 0 && e != old) {
        WRITE_ONCE(*p, e);
    }
    return rc;
}

static int validate_l1(struct page_info *pg, struct domain *d)
{
    pte_t *table = map_table(pg);

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        if (i % GROUP == 0 && group_absent(table, i)) {
            i += GROUP - 1;
            continue;
        }
        if (validate_l1_entry(&table[i], d) != 0) {
            while (i-- > 0) {
                pv_put_data_page(table[i], d);
            }
            return -EINVAL;
        }
    }
    return 0;
}

static void devalidate_l1(struct page_info *pg, struct domain *d)
{
    pte_t *table = map_table(pg);

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        if (i % GROUP == 0 && group_absent(table, i)) {
            i += GROUP - 1;
            continue;
        }
        pv_put_data_page(READ_ONCE(table[i]), d);
    }
}

/* ---- levels 2 to 4 ---- */

static bool opt_linear = true;
bool_param(pv_linear_pt, "pv-linear-pt", opt_linear,
           "page tables of PV guests may refer to tables of their own level");

bool pv_is_linear(pte_t e, const struct page_info *table)
{
    const struct page_info *pg = mfn_to_page(pte_mfn(e));

    return pg != table && ((pg->type_info ^ table->type_info) & PGT_TYPE_MASK) == 0;
}

/*
 * Through such an entry of a level 4, the hypervisor's own slots appear at guest addresses: for the
 * CPU in the guest's mode they are supervisor's, but not for the hypervisor's own accesses. What
 * they read there is thrown away (guest_access.c), so the mark comes first.
 */
static void mark_linear_slot(struct domain *d, unsigned int i)
{
    __atomic_fetch_or(&d->arch.pv.linear_slots[i / 64], 1ul << (i % 64), __ATOMIC_SEQ_CST);
    __atomic_store_n(&linear_slots_in_use, true, __ATOMIC_SEQ_CST);
}

/* An entry that does not refer to a lower table: to one of the same level? 0 or -EINVAL. */
static int get_linear(pte_t e, struct page_info *table, unsigned int level, unsigned int i,
                      struct domain *d)
{
    struct page_info *pg = mfn_to_page(pte_mfn(e));

    if (!opt_linear || (e & PTE_RW)) {
        return -EINVAL;
    }
    if (level == 4) {
        mark_linear_slot(d, i);
    }
    if (pg == table) {
        return 0;
    }
    if (!get_page(pg, d)) {
        return -EINVAL;
    }
    if (get_page_type_linear(pg, table) != 0) {
        put_page(pg);
        return -EINVAL;
    }
    return 0;
}

int pv_get_table(pte_t e, struct page_info *table, unsigned int level, unsigned int i,
                 struct domain *d, bool partial, bool preemptible)
{
    mfn_t m = pte_mfn(e);
    struct page_info *pg;
    int rc;

    if (e & ~PTE_TABLE_ALLOWED) {
        return -EINVAL;
    }
    if (!partial && (!mfn_valid(m) || !get_page(mfn_to_page(m), d))) {
        return -EINVAL;
    }
    pg = mfn_to_page(m);
    rc = get_page_type(pg, level_type(level - 1), preemptible && level > 2);
    if (rc != 0 && rc != -ERESTART && rc != -EAGAIN && !partial) {
        put_page(pg);
    }
    return rc == -EINVAL && !partial ? get_linear(e, table, level, i, d) : rc;
}

/* Drops what pv_get_table took. 0; -EINTR: nothing done; -ERESTART: it has become partial. */
static int put_table(pte_t e, struct page_info *table, unsigned int level, bool preemptible)
{
    struct page_info *pg = mfn_to_page(pte_mfn(e));
    int rc;

    if (pg == table) {
        return 0;
    }
    rc = pv_is_linear(e, table) ? put_page_type_linear(pg, table, preemptible)
                                : put_page_type(pg, preemptible && level > 2);
    if (rc == 0) {
        put_page(pg);
    }
    return rc;
}

static int put_partial_table(pte_t e, bool preemptible)
{
    struct page_info *pg = mfn_to_page(pte_mfn(e));
    int rc = put_page_type_partial(pg, preemptible);

    if (rc == 0) {
        put_page(pg);
    }
    return rc;
}

static int validate_entry(struct page_info *pg, unsigned int level, unsigned int i,
                          struct domain *d, bool partial, bool preemptible)
{
    pte_t *p = map_table(pg) + i, e = READ_ONCE(*p);
    int rc;

    if (!(e & PTE_P)) {
        return 0; /* a table whose entries are being validated is not written by anybody */
    }
    rc = pv_get_table(e, pg, level, i, d, partial, preemptible);
    if (rc == 0 && !(e & PTE_US)) {
        WRITE_ONCE(*p, e | PTE_US);
    }
    return rc;
}

static int validate_table(struct page_info *pg, unsigned int level, struct domain *d,
                          bool preemptible)
{
    pte_t *table = map_table(pg);
    unsigned int first = pg->nr_validated, i;
    bool partial = (pg->partial_flags & PARTIAL_ENTRY) != 0;
    int rc = 0;

    for (i = first; i < PTES_PER_TABLE; i++) {
        if (!partial && i % GROUP == 0 && group_absent(table, i)) {
            i += GROUP - 1;
            continue;
        }
        if (!is_guest_entry(level, i)) {
            continue;
        }
        if (preemptible && i > first && hypercall_preempt_check()) {
            rc = -EINTR;
            break;
        }
        rc = validate_entry(pg, level, i, d, partial, preemptible);
        if (rc != 0) {
            break;
        }
        partial = false;
    }
    if (rc == 0) {
        if (level == 4) {
            init_guest_l4(table, d);
            xpti_l4_validated(d);
        }
        return 0;
    }
    partial = partial || rc == -ERESTART || rc == -EAGAIN;
    pg->nr_validated = (uint16_t)i;
    pg->partial_flags = partial ? PARTIAL_ENTRY : 0;
    if (rc == -EINTR) {
        return i != 0 || partial ? -ERESTART : -EINTR;
    }
    return rc == -ERESTART ? rc : -EINVAL;
}

static int devalidate_table(struct page_info *pg, unsigned int level, bool preemptible)
{
    const pte_t *table = map_table(pg);
    unsigned int i = pg->nr_validated;

    if (pg->partial_flags & PARTIAL_ENTRY) {
        if (put_partial_table(table[i], preemptible) != 0) {
            return -ERESTART;
        }
        pg->partial_flags = 0;
    }
    while (i > 0) {
        int rc = 0;

        if (preemptible && i < pg->nr_validated && hypercall_preempt_check()) {
            pg->nr_validated = (uint16_t)i;
            return -ERESTART;
        }
        if (i % GROUP == 0 && group_absent(table, i - GROUP)) {
            i -= GROUP;
            continue;
        }
        i--;
        if (is_guest_entry(level, i) && (table[i] & PTE_P)) {
            rc = put_table(table[i], pg, level, preemptible);
        }
        if (rc != 0) {
            bool begun = i + 1 < PTES_PER_TABLE || rc == -ERESTART;

            pg->partial_flags = rc == -ERESTART ? PARTIAL_ENTRY : 0;
            pg->nr_validated = (uint16_t)(rc == -ERESTART ? i : i + 1);
            return begun ? -ERESTART : -EINTR;
        }
    }
    pg->nr_validated = 0;
    return 0;
}

/* ---- descriptor tables ---- */

static int validate_descriptors(struct page_info *pg)
{
    uint64_t *desc = page_to_virt(pg);

    for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*desc); i++) {
        uint64_t d = READ_ONCE(desc[i]), checked = d;

        if (!pv_check_descriptor(&checked)) {
            return -EINVAL;
        }
        if (checked != d) {
            WRITE_ONCE(desc[i], checked);
        }
    }
    return 0;
}

/* ---- the architecture's part of page_type.c ---- */

int arch_validate_page(struct page_info *pg, uint64_t type, bool preemptible)
{
    struct domain *d = domain_by_id(page_owner_id(pg));

    if (!d || d->is_hvm) {
        return -EINVAL;
    }
    if (type == PGT_SEGDESC) {
        return validate_descriptors(pg);
    }
    return type == PGT_L1 ? validate_l1(pg, d)
                          : validate_table(pg, type_level(type), d, preemptible);
}

int arch_devalidate_page(struct page_info *pg, uint64_t type, bool preemptible)
{
    if (type == PGT_L1) {
        devalidate_l1(pg, domain_by_id(page_owner_id(pg)));
        return 0;
    }
    return devalidate_table(pg, type_level(type), preemptible);
}
