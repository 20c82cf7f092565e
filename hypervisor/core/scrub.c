/* Clearing freed memory while a CPU has nothing to do. Read buddy.c first. */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/softirq.h>
#include "heap.h"

/* At once: 64 pages, some tens of microseconds. */
#define SCRUB_ORDER 6u

/* One CPU at a time: many would only wait for each other at the heap's lock. */
static bool scrubbing;

static bool scrub_some(void)
{
    struct page_info *pg, *p;
    unsigned int order = 0;
    unsigned long flags;
    bool more;
    uint64_t i;

    spin_lock_irqsave(&heap_lock, flags);
    pg = heap_take_dirty(SCRUB_ORDER, &order, &more);
    spin_unlock_irqrestore(&heap_lock, flags);
    if (pg == NULL) {
        return more;
    }
    for (i = 0; i < 1ull << order; i++) {
        p = pg + i;
        if (!(p->count_info & PGC_NEED_SCRUB)) {
            continue;
        }
        /* A guest's stale translation must not write behind the scrubber. */
        if (p->partial_flags & FREE_NEEDS_FLUSH) {
            tlb_flush_since(cpu_online_map, p->tlbflush_timestamp);
        }
        clear_page(page_to_virt(p));
    }
    spin_lock_irqsave(&heap_lock, flags);
    heap_return_clean(pg, order);
    spin_unlock_irqrestore(&heap_lock, flags);
    return true;
}

bool scrub_free_pages(void)
{
    bool more;

    if (__atomic_exchange_n(&scrubbing, true, __ATOMIC_ACQUIRE)) {
        return false;
    }
    more = scrub_some();
    __atomic_store_n(&scrubbing, false, __ATOMIC_RELEASE);
    return more;
}
