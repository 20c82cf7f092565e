/*
 * References to frames in line, for the paths that change guests' mappings: the common transitions
 * of <hospes/page.h>'s functions, whose contracts these have; everything else is left to them.
 */
#ifndef HOSPES_PAGE_INLINE_H
#define HOSPES_PAGE_INLINE_H

#include <hospes/domain.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/page.h>
#include <arch/cpu.h>

/* One more reference, unless the count is 0 or full. */
static __always_inline __must_check bool take_page_reference(struct page_info *pg)
{
    uint64_t old = READ_ONCE(pg->count_info);

    do {
        if (unlikely(((old + 1) & PGC_COUNT_MASK) <= 1)) { /* 0, or full */
            return false;
        }
    } while (unlikely(!__atomic_compare_exchange_n(&pg->count_info, &old, old + 1, false,
                                                   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)));
    return true;
}

static __always_inline __must_check bool get_page_inline(struct page_info *pg,
                                                         const struct domain *d)
{
    if (unlikely(!take_page_reference(pg))) {
        return false;
    }
    if (likely(page_owner_id(pg) == d->domain_id)) {
        block_speculation();
        return true;
    }
    put_page(pg);
    return false;
}

static __always_inline void put_page_inline(struct page_info *pg)
{
    uint64_t now = __atomic_sub_fetch(&pg->count_info, 1, __ATOMIC_ACQ_REL);

    if (unlikely((now & PGC_COUNT_MASK) == 0)) {
        free_domheap_page(pg);
    }
    ASSERT((now & PGC_COUNT_MASK) != PGC_COUNT_MASK);
}

static __always_inline bool type_exchange(struct page_info *pg, uint64_t x, uint64_t nx)
{
    return likely(__atomic_compare_exchange_n(&pg->type_info, &x, nx, false, __ATOMIC_ACQ_REL,
                                              __ATOMIC_RELAXED));
}

/* One more reference of the type that the frame has. */
static __always_inline __must_check int get_page_type_inline(struct page_info *pg, uint64_t type,
                                                             bool preemptible)
{
    uint64_t x = READ_ONCE(pg->type_info);

    if (likely((x & (PGT_TYPE_MASK | PGT_VALIDATED)) == (type | PGT_VALIDATED)) &&
        likely((x & PGT_COUNT_MASK) != PGT_COUNT_MASK) && type_exchange(pg, x, x + 1)) {
        return 0;
    }
    return get_page_type(pg, type, preemptible);
}

/* Not the last, nor the last but page_lock's. */
static __always_inline int put_page_type_inline(struct page_info *pg, bool preemptible)
{
    uint64_t x = READ_ONCE(pg->type_info);

    if ((x & PGT_COUNT_MASK) > 2 && type_exchange(pg, x, x - 1)) {
        return 0;
    }
    return put_page_type(pg, preemptible);
}

static __always_inline __must_check bool page_lock_inline(struct page_info *pg)
{
    uint64_t x = READ_ONCE(pg->type_info);

    if (likely((x & (PGT_VALIDATED | PGT_LOCKED)) == PGT_VALIDATED) &&
        likely(((x + 1) & PGT_COUNT_MASK) > 1) && type_exchange(pg, x, (x + 1) | PGT_LOCKED)) {
        block_speculation();
        return true;
    }
    return page_lock(pg);
}

/* The bit and one of the count are ours alone. */
static __always_inline void page_unlock_inline(struct page_info *pg)
{
    __atomic_fetch_sub(&pg->type_info, PGT_LOCKED + 1, __ATOMIC_RELEASE);
}

static __always_inline void put_page_and_type_inline(struct page_info *pg)
{
    (void)put_page_type_inline(pg, false);
    put_page_inline(pg);
}

#endif
