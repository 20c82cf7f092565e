/*
 * What a level-1 entry of a guest refers to: RAM of its own (or, by foreign mapping, of another
 * domain), or device memory that the domain was given. A present entry to RAM holds a general
 * reference, a writable one also a type reference PGT_WRITABLE. Device frames have no counts: only
 * iomem_caps and the read-only ranges decide.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/rangeset.h>
#include "mm.h"

/* ---- read-only device frames ---- */

/*
 * Each range in one word, first frame and number of frames, so that readers need no lock: 0 is a
 * free place, those at mmio_ro_nr and behind have never been used.
 */
#define MMIO_RO_MAX     256u
#define RO_FRAMES_SHIFT 40
#define RO_FRAMES_MAX   (BIT(64 - RO_FRAMES_SHIFT) - 1)
static uint64_t mmio_ro[MMIO_RO_MAX];
static unsigned int mmio_ro_nr;
static spinlock_t mmio_ro_lock = SPINLOCK_INIT(RANK_RANGESET);

static uint64_t ro_range(mfn_t s, mfn_t e)
{
    return s.v | (e.v - s.v + 1) << RO_FRAMES_SHIFT;
}

int mmio_ro_add(mfn_t s, mfn_t e)
{
    unsigned int i = 0;

    if (e.v < s.v || e.v - s.v >= RO_FRAMES_MAX || e.v >> RO_FRAMES_SHIFT != 0) {
        return -EINVAL;
    }
    LOCKED(&mmio_ro_lock);
    while (i < mmio_ro_nr && mmio_ro[i] != 0) {
        i++;
    }
    if (i == MMIO_RO_MAX) {
        return -ENOSPC;
    }
    __atomic_store_n(&mmio_ro[i], ro_range(s, e), __ATOMIC_RELEASE);
    if (i == mmio_ro_nr) {
        __atomic_store_n(&mmio_ro_nr, i + 1, __ATOMIC_RELEASE);
    }
    return 0;
}

void mmio_ro_remove(mfn_t s, mfn_t e)
{
    LOCKED(&mmio_ro_lock);
    for (unsigned int i = 0; i < mmio_ro_nr; i++) {
        if (mmio_ro[i] == ro_range(s, e)) {
            __atomic_store_n(&mmio_ro[i], 0, __ATOMIC_RELEASE);
            return;
        }
    }
}

bool mmio_ro_contains(mfn_t m)
{
    unsigned int n = __atomic_load_n(&mmio_ro_nr, __ATOMIC_ACQUIRE);

    for (unsigned int i = 0; i < n; i++) {
        uint64_t r = READ_ONCE(mmio_ro[i]);

        if (m.v - (r & (BIT(RO_FRAMES_SHIFT) - 1)) < r >> RO_FRAMES_SHIFT) {
            return true;
        }
    }
    return false;
}

/* ---- level-1 entries ---- */

/* Domains without devices have no say in memory types. */
pte_t pv_l1_disallowed(const struct domain *d)
{
    bool has_devices = d == dom_io || d->is_hardware || !rangeset_is_empty(d->iomem_caps) ||
                       !rangeset_is_empty(d->ioport_caps);

    return has_devices ? 0 : PTE_CACHE;
}

/* Device memory is never mapped write-back, write-through or write-protected. */
static pte_t uncached(pte_t e)
{
    switch (e & PTE_CACHE) {
    case 0:
        return e | PTE_PCD | PTE_PWT;
    case PTE_PWT:
    case PTE_PWT | PTE_PAT:
        return e | PTE_PCD;
    default:
        return e;
    }
}

static int get_device_page(pte_t *e, struct domain *owner, struct domain *pg_owner)
{
    mfn_t m = pte_mfn(*e);

    if (m.v >> (arch_phys_bits() - PAGE_SHIFT) != 0) {
        return -EINVAL;
    }
    if (pg_owner == dom_io) {
        pg_owner = current->domain;
    }
    if (pg_owner->is_xen || !rangeset_contains(pg_owner->iomem_caps, m.v, m.v)) {
        return -EPERM;
    }
    if (pg_owner != owner && !rangeset_contains(owner->iomem_caps, m.v, m.v)) {
        return -EPERM;
    }
    if (mmio_ro_contains(m)) {
        *e &= ~PTE_RW;
    }
    *e = pv_adjust_l1(uncached(*e));
    return 0;
}

bool pv_may_map(const struct domain *caller, const struct domain *target)
{
    return caller == target || is_privileged_for(caller, target);
}

/* A reference to a frame of pg_owner, who has not the table, or of a domain that pg_owner may map
 * (device models). */
static __noinline bool get_page_for(struct page_info *pg, struct domain *pg_owner)
{
    struct domain *real;

    if (get_page(pg, pg_owner)) {
        return true;
    }
    real = get_page_owner(pg);
    if (real && !real->is_xen && pv_may_map(pg_owner, real)) {
        return true;
    }
    if (real) {
        put_page(pg);
    }
    return false;
}

int pv_get_data_page_slow(pte_t *e, struct domain *owner, struct domain *pg_owner)
{
    mfn_t m = pte_mfn(*e);
    struct page_info *pg;

    if (*e & pv_l1_disallowed(owner)) {
        return -EINVAL;
    }
    if (!mfn_valid(m)) {
        return get_device_page(e, owner, pg_owner);
    }
    pg = mfn_to_page(m);
    if (!(pg_owner == owner ? get_page(pg, owner) : get_page_for(pg, pg_owner))) {
        return -EBUSY;
    }
    if ((*e & PTE_CACHE) && (pg->count_info & PGC_XEN_HEAP)) {
        put_page(pg);
        return -EACCES;
    }
    if ((*e & PTE_RW) && get_page_type(pg, PGT_WRITABLE, false) != 0) {
        put_page(pg);
        return -EBUSY;
    }
    *e = pv_adjust_l1(*e);
    return 0;
}
