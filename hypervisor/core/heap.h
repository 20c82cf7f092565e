/* Between the files of the allocator (buddy.c, scrub.c, domain_memory.c): not for others. */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include <hospes/lock.h>
#include <hospes/memory.h>

extern spinlock_t heap_lock;

/* heap_lock held. Takes a block with dirty pages, of at most 1 << max_order pages, out of what is
 * allocatable; its pages count as free all the same. NULL: found none; *more: look again. */
struct page_info *heap_take_dirty(unsigned int max_order, unsigned int *order, bool *more);
/* heap_lock held. Gives it back; all of it is clean now. */
void heap_return_clean(struct page_info *pg, unsigned int order);

/* alloc_frames on behalf of d (NULL: nobody), whose claim may be used up. */
struct page_info *alloc_frames_for(struct domain *d, unsigned int order,
                                   unsigned int memflags) __must_check;
/* A free page was used by a guest until now: its translations may still be in TLBs. */
#define FREE_NEEDS_FLUSH 1u

/* Changes the claim of a domain by delta pages; d's page_lock held. False: not enough memory. */
bool heap_adjust_claim(struct domain *d, int64_t delta);

#endif
