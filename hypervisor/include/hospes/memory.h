/* Allocating memory: the buddy allocator, a domain's pages, the small-object heap, temporary maps.
 */
#ifndef HOSPES_MEMORY_H
#define HOSPES_MEMORY_H

#include <hospes/page.h>

#define MAX_ORDER 20u /* 4 GiB chunks */

/* ---- buddy allocator (core/buddy.c) ---- */
#define MEMF_NO_SCRUB     BIT(0)                   /* the caller overwrites all of it */
#define MEMF_ADDR_BITS(n) ((unsigned int)(n) << 8) /* below 1 << n bytes; 0: anywhere */
#define MEMF_NO_REFCOUNT  BIT(1) /* assign_pages: the domain's count is not raised */
#define MEMF_FLUSH_LATER \
    BIT(2) /* steal_page: to be freed or given back, which is when it matters */

/* Gives [start, end) to the allocator; at boot. */
void heap_add_region(paddr_t start, paddr_t end);
/* 1 << order frames, aligned to their size, cleared, owned by nobody, count 0; NULL: no memory. */
struct page_info *alloc_frames(unsigned int order, unsigned int memflags) __must_check;
void free_frames(struct page_info *pg, unsigned int order);
uint64_t heap_free_pages(void);  /* includes unscrubbed */
uint64_t heap_total_pages(void); /* all that the allocator ever got */
/* Free pages whose address needs at least min_bits and at most max_bits bits (0: any). */
uint64_t heap_free_pages_in(unsigned int min_bits, unsigned int max_bits);
uint64_t heap_dirty_pages(void);       /* free, not cleared yet */
uint64_t heap_outstanding_pages(void); /* claimed by domains, not yet allocated */
/* Clears some free memory; from the idle loop. False: nothing (more) to do. */
bool scrub_free_pages(void);

/* ---- a domain's memory (core/domain_memory.c) ---- */
/* Allocates and assigns to d: -ENOMEM, -E2BIG (over max_pages), -EINVAL (dying). */
struct page_info *alloc_domheap_pages(struct domain *d, unsigned int order,
                                      unsigned int memflags) __must_check;
int assign_pages(struct page_info *pg, unsigned int order, struct domain *d,
                 unsigned int memflags) __must_check;
/* XENMEM_claim_pages: promises `pages` in all to d; 0 takes the rest of the promise back. -EINVAL
 * (has one, or not more than it has, or over max_pages), -ENOMEM. */
int domain_claim_pages(struct domain *d, uint64_t pages) __must_check;
/* The last reference went: take it off the owner's list and free it. From put_page only. */
void free_domheap_page(struct page_info *pg);
/* Takes the page out of d for good while nobody else holds it (exchange, transfer); 0 or
 * -EBUSY/-EINVAL. Afterwards count_info is 0, there is no owner, and no TLB has it, unless
 * MEMF_FLUSH_LATER: then it must be freed (free_frames remembers) or assigned to d again. */
int steal_page(struct domain *d, struct page_info *pg, unsigned int memflags) __must_check;
/* Makes frames of the hypervisor accessible to d: count 1, owner d, PGC_XEN_HEAP. */
enum share_access { SHARE_RW, SHARE_RO };
void share_xen_page_with_guest(struct page_info *pg, struct domain *d, enum share_access access);

/* ---- hypervisor heap ---- */
/* Frames for the hypervisor itself (through the direct map), cleared; NULL: no memory. */
void *alloc_xenheap_pages(unsigned int order, unsigned int memflags) __must_check;
void free_xenheap_pages(void *va, unsigned int order);
/* Small objects (core/xmalloc.c), zeroed. xmalloc_array checks for overflow. xfree takes NULL. */
void *xzalloc_bytes(size_t size, size_t align) __must_check;
/* Prints how full the slabs are; debug key m. */
void xmalloc_dump(void);
void xfree(void *p);
#define xzalloc(type)          ((type *)xzalloc_bytes(sizeof(type), _Alignof(type)))
#define xzalloc_array(type, n) ((type *)xzalloc_array_(sizeof(type), _Alignof(type), (n)))
static inline void *xzalloc_array_(size_t size, size_t align, size_t n)
{
    size_t bytes;

    return __builtin_mul_overflow(size, n, &bytes) ? NULL : xzalloc_bytes(bytes, align);
}
/* n scattered frames mapped contiguously, cleared; for large tables. */
void *vzalloc(size_t bytes) __must_check;
void vfree(void *va);

/* ---- memory map (architecture) ---- */
/* Maps device or firmware memory uncached (boot and set-up only); NULL: no space. */
void *ioremap(paddr_t pa, size_t bytes) __must_check;
void iounmap(void *va);

#endif
