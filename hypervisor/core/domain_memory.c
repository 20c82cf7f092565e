/*
 * A domain's memory: its page lists and counts, under page_lock. A domain that has pages is kept
 * alive by them: the first takes a reference to the domain, the last drops it. Read
 * <hospes/memory.h> first.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include "heap.h"

/* page_lock held. False: `pages` more are more than it may have. A claim is used up first. */
static bool count_pages_up(struct domain *d, uint64_t pages)
{
    if (d->tot_pages + pages > d->max_pages || d->tot_pages + pages < pages) {
        return false;
    }
    if (d->tot_pages == 0 && !get_domain(d)) {
        return false;
    }
    d->tot_pages += pages;
    if (d->outstanding_pages != 0) {
        (void)heap_adjust_claim(d, -(int64_t)min(d->outstanding_pages, pages));
    }
    return true;
}

/* page_lock held. True: the caller drops the domain reference that its pages held. */
static bool count_page_down(struct domain *d)
{
    BUG_ON(d->tot_pages == 0);
    return --d->tot_pages == 0;
}

int assign_pages(struct page_info *pg, unsigned int order, struct domain *d, unsigned int memflags)
{
    uint64_t extra = memflags & MEMF_NO_REFCOUNT ? PGC_EXTRA : 0, i;
    struct page_info *p;
    int rc = 0;

    spin_lock(&d->page_lock);
    if (d->is_dying != DOMDYING_ALIVE) {
        rc = -EINVAL;
    } else if (!extra && !count_pages_up(d, 1ull << order)) {
        rc = -E2BIG;
    }
    for (i = 0; rc == 0 && i < 1ull << order; i++) {
        p = pg + i;
        BUG_ON((p->count_info & PGC_COUNT_MASK) != 0 || p->owner != DOMID_INVALID);
        p->owner = d->domain_id;
        p->type_info = 0;
        p->partial_flags = 0;
        page_list_add_tail(p, &d->page_list);
        __atomic_store_n(&p->count_info, PGC_ALLOCATED | extra | 1, __ATOMIC_RELEASE);
    }
    spin_unlock(&d->page_lock);
    return rc;
}

struct page_info *alloc_domheap_pages(struct domain *d, unsigned int order, unsigned int memflags)
{
    struct page_info *pg = alloc_frames_for(d, order, memflags);

    if (pg != NULL && d != NULL && assign_pages(pg, order, d, memflags) != 0) {
        free_frames(pg, order);
        return NULL;
    }
    return pg;
}

struct domain *domain_of_page(const struct page_info *pg)
{
    domid_t id = page_owner_id(pg);

    if (id == DOMID_XEN) {
        return dom_xen;
    }
    if (id == DOMID_IO) {
        return dom_io;
    }
    return domain_by_id(id);
}

/* A frame of the hypervisor's that d could see: it is only taken off d's list. */
static void unshare_xen_page(struct domain *d, struct page_info *pg)
{
    bool drop;

    spin_lock(&d->page_lock);
    page_list_del(pg, &d->xenpage_list);
    drop = --d->xenheap_pages == 0;
    spin_unlock(&d->page_lock);
    if (drop) {
        put_domain(d);
    }
}

void free_domheap_page(struct page_info *pg)
{
    struct domain *d = domain_of_page(pg);
    bool drop = false;

    if (pg->count_info & PGC_XEN_HEAP) {
        if (d != NULL) {
            unshare_xen_page(d, pg);
        }
        return;
    }
    BUG_ON(d == NULL && page_owner_id(pg) != DOMID_INVALID);
    BUG_ON((pg->type_info & PGT_COUNT_MASK) != 0);
    if (d != NULL) {
        spin_lock(&d->page_lock);
        page_list_del_either(pg, &d->page_list, &d->relmem_list);
        if (!(pg->count_info & PGC_EXTRA)) {
            drop = count_page_down(d);
        }
        spin_unlock(&d->page_lock);
    }
    free_frames(pg, 0);
    if (drop) {
        put_domain(d);
    }
}

int steal_page(struct domain *d, struct page_info *pg, unsigned int memflags)
{
    uint64_t sole = PGC_ALLOCATED | 1;
    bool drop = false;
    int rc = 0;

    spin_lock(&d->page_lock);
    if (page_owner_id(pg) != d->domain_id || d->is_dying != DOMDYING_ALIVE) {
        rc = -EINVAL;
    } else if (!__atomic_compare_exchange_n(&pg->count_info, &sole, 0ul, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED)) {
        /* Referenced by somebody, or not ordinary memory. */
        rc = (sole & (PGC_XEN_HEAP | PGC_EXTRA | PGC_BROKEN)) != 0 ? -EINVAL : -EBUSY;
    } else {
        /* A type reference implies a general one: now there is neither. */
        BUG_ON((pg->type_info & PGT_COUNT_MASK) != 0);
        pg->owner = DOMID_INVALID;
        page_list_del(pg, &d->page_list);
        drop = !(memflags & MEMF_NO_REFCOUNT) && count_page_down(d);
    }
    spin_unlock(&d->page_lock);
    if (rc == 0) {
        /* From now: also who could only read it has a translation to lose. */
        pg->tlbflush_timestamp = tlb_clock_now();
        if (memflags & MEMF_FLUSH_LATER) {
            pg->partial_flags = FREE_NEEDS_FLUSH;
        } else {
            arch_flush_before_reuse(pg);
        }
        pg->type_info = 0;
    }
    if (drop) {
        put_domain(d);
    }
    return rc;
}

int domain_claim_pages(struct domain *d, uint64_t pages)
{
    int rc = 0;

    spin_lock(&d->page_lock);
    if (pages == 0) {
        (void)heap_adjust_claim(d, -(int64_t)d->outstanding_pages);
    } else if (d->outstanding_pages != 0 || pages <= d->tot_pages || pages > d->max_pages ||
               d->is_dying != DOMDYING_ALIVE) {
        rc = -EINVAL;
    } else if (pages - d->tot_pages > heap_total_pages() ||
               !heap_adjust_claim(d, (int64_t)(pages - d->tot_pages))) {
        rc = -ENOMEM;
    }
    spin_unlock(&d->page_lock);
    return rc;
}

void share_xen_page_with_guest(struct page_info *pg, struct domain *d, enum share_access access)
{
    BUG_ON(!(pg->count_info & PGC_XEN_HEAP) || (pg->count_info & PGC_COUNT_MASK) != 0);
    pg->type_info = (access == SHARE_RW ? PGT_WRITABLE : PGT_NONE) | PGT_VALIDATED | 1;
    spin_lock(&d->page_lock);
    pg->owner = d->domain_id;
    if (d->is_dying == DOMDYING_ALIVE && (d->xenheap_pages != 0 || get_domain(d))) {
        d->xenheap_pages++;
        page_list_add_tail(pg, &d->xenpage_list);
        __atomic_store_n(&pg->count_info, PGC_XEN_HEAP | PGC_ALLOCATED | 1, __ATOMIC_RELEASE);
    }
    spin_unlock(&d->page_lock);
}

void *alloc_xenheap_pages(unsigned int order, unsigned int memflags)
{
    struct page_info *pg = alloc_frames(order, memflags);
    uint64_t i;

    if (pg == NULL) {
        return NULL;
    }
    for (i = 0; i < 1ull << order; i++) {
        pg[i].count_info |= PGC_XEN_HEAP;
    }
    return page_to_virt(pg);
}

void free_xenheap_pages(void *va, unsigned int order)
{
    struct page_info *pg, *p;
    uint64_t i;

    if (va == NULL) {
        return;
    }
    pg = virt_to_page(va);
    for (i = 0; i < 1ull << order; i++) {
        p = pg + i;
        p->count_info &= ~PGC_XEN_HEAP;
        p->type_info = 0;
    }
    free_frames(pg, order);
}
