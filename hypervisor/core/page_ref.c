/*
 * General references to frames: count_info's low bits. A frame with a count of 0 is free, or of
 * nobody, and can't be referenced by these; the last reference to go frees it. See <hospes/page.h>.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/page_inline.h>

bool get_page(struct page_info *pg, const struct domain *d)
{
    return get_page_inline(pg, d);
}

void get_page_again(struct page_info *pg)
{
    uint64_t old = __atomic_fetch_add(&pg->count_info, 1, __ATOMIC_ACQ_REL);

    BUG_ON((old & PGC_COUNT_MASK) == 0 || (old & PGC_COUNT_MASK) == PGC_COUNT_MASK);
}

void put_page(struct page_info *pg)
{
    put_page_inline(pg);
}

void put_page_alloc_ref(struct page_info *pg)
{
    uint64_t old = __atomic_fetch_and(&pg->count_info, ~PGC_ALLOCATED, __ATOMIC_ACQ_REL);

    if (old & PGC_ALLOCATED) {
        put_page(pg);
    }
}

struct domain *get_page_owner(struct page_info *pg)
{
    struct domain *d;

    if (!take_page_reference(pg)) {
        return NULL;
    }
    d = domain_of_page(pg);
    if (d == NULL) {
        put_page(pg);
    }
    return d;
}
