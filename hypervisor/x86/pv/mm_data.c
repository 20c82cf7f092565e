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

#define MMIO_RO_MAX 64u
static struct {
    mfn_t s, e;
    bool (*write)(paddr_t pa, uint64_t value, unsigned int bytes);
} mmio_ro[MMIO_RO_MAX];
static unsigned int mmio_ro_nr;
static spinlock_t mmio_ro_lock = SPINLOCK_INIT(RANK_RANGESET);

int mmio_ro_add(mfn_t s, mfn_t e, bool (*write)(paddr_t pa, uint64_t value, unsigned int bytes))
{
    LOCKED(&mmio_ro_lock);
    if (mmio_ro_nr == MMIO_RO_MAX) {
        return -ENOSPC;
    }
    mmio_ro[mmio_ro_nr].s = s;
    mmio_ro[mmio_ro_nr].e = e;
    mmio_ro[mmio_ro_nr].write = write;
    /* Readers take no lock: entries are complete before they are counted, and stay. */
    __atomic_store_n(&mmio_ro_nr, mmio_ro_nr + 1, __ATOMIC_RELEASE);
    return 0;
}

static int mmio_ro_index(mfn_t m)
{
    unsigned int n = __atomic_load_n(&mmio_ro_nr, __ATOMIC_ACQUIRE);

    for (unsigned int i = 0; i < n; i++) {
        if (m.v >= mmio_ro[i].s.v && m.v <= mmio_ro[i].e.v) {
            return (int)i;
        }
    }
    return -1;
}

bool mmio_ro_contains(mfn_t m)
{
    return mmio_ro_index(m) >= 0;
}

bool mmio_ro_write(paddr_t pa, uint64_t value, unsigned int bytes)
{
    int i = mmio_ro_index(paddr_to_mfn(pa));

    if (i < 0) {
        return false;
    }
    if (mmio_ro[i].write) {
        (void)mmio_ro[i].write(pa, value, bytes);
    }
    return true;
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

/* A reference to a frame of pg_owner, who is not `owner`, or of a domain that pg_owner may map
 * (device models). */
static __noinline bool get_page_for(struct page_info *pg, struct domain *owner,
                                    struct domain *pg_owner)
{
    struct domain *real;

    if (owner != hardware_domain) {
        tlb_foreign_mappers = true;
    }
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
    if (!(pg_owner == owner ? get_page(pg, owner) : get_page_for(pg, owner, pg_owner))) {
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
