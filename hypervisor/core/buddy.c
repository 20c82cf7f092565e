/*
 * The buddy allocator. Free memory is kept as chunks of 1 << order frames, aligned to their size;
 * two free buddies are always one chunk. Chunks are listed by zone and order; zone z has the frames
 * whose number's highest bit is z, so that "below 2^n bytes" is a set of zones. A chunk never lies
 * in two zones, as frame 0 is never handed out.
 *
 * Per frame: the state (free, in use) in count_info is exact for every frame, `order` is right for
 * heads of free chunks. A free frame with PGC_NEED_SCRUB is cleared before it is given out, at the
 * latest. Idle CPUs clear freed memory ahead (scrub.c).
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include "heap.h"

#define NR_ORDERS (MAX_ORDER + 1)
#define NR_ZONES  32u /* frame numbers are 32 bits wide */

spinlock_t heap_lock = SPINLOCK_INIT(RANK_HEAP);

struct zone {
    uint32_t orders; /* bit per order: its list is not empty */
    uint64_t free_pages;
    struct page_list chunks[NR_ORDERS];
};
static struct zone zones[NR_ZONES];
static bool initialised;
static uint64_t free_pages, total_pages, dirty_pages, claimed_pages;
/* Pages that scrubbing has taken away for the moment: not allocatable, but not gone. */
static uint64_t borrowed_pages;

static unsigned int zone_of(mfn_t m)
{
    return highest_bit(m.v);
}

/* The frame table is an array: within a chunk every frame has an entry. */
static struct page_info *nth(struct page_info *pg, uint64_t n)
{
    return pg + n;
}

static bool is_free_chunk(mfn_t m, unsigned int order)
{
    struct page_info *pg;

    if (!mfn_valid(m)) {
        return false;
    }
    pg = mfn_to_page(m);
    return (pg->count_info & PGC_STATE_MASK) == PGC_STATE_FREE && pg->order == order;
}

/* Frames inside a free chunk have this in `order`, so that none is taken for a head. */
#define NOT_A_HEAD 0xffu

static void chunk_insert(struct page_info *pg, unsigned int order)
{
    struct zone *z = &zones[zone_of(page_to_mfn(pg))];

    pg->order = (uint8_t)order;
    page_list_add_tail(pg, &z->chunks[order]);
    z->orders |= 1u << order;
}

static void chunk_remove(struct page_info *pg)
{
    struct zone *z = &zones[zone_of(page_to_mfn(pg))];
    unsigned int order = pg->order;

    page_list_del(pg, &z->chunks[order]);
    if (z->chunks[order].count == 0) {
        z->orders &= ~(1u << order);
    }
    pg->order = NOT_A_HEAD;
}

/*
 * Reduces the chunk at pg, which is on no list, from `from` to `to` by giving the other halves
 * back. Returns the part that has frame `keep` (an offset).
 */
static struct page_info *chunk_split(struct page_info *pg, unsigned int from, unsigned int to,
                                     uint64_t keep)
{
    uint64_t half;

    while (from > to) {
        from--;
        half = 1ull << from;
        if (keep < half) {
            chunk_insert(nth(pg, half), from);
        } else {
            chunk_insert(pg, from);
            pg = nth(pg, half);
            keep -= half;
        }
    }
    return pg;
}

/* The frames are in state free already; joins them with their buddies as far as it goes. */
static void chunk_merge(struct page_info *pg, unsigned int order)
{
    mfn_t m = page_to_mfn(pg), buddy;

    for (; order < MAX_ORDER; order++) {
        buddy = mfn(m.v ^ (1ull << order));
        if (buddy.v == 0 || !is_free_chunk(buddy, order)) {
            break;
        }
        chunk_remove(mfn_to_page(buddy));
        m.v &= buddy.v;
    }
    chunk_insert(mfn_to_page(m), order);
}

/* Highest zones first: memory with small addresses is the scarcest. NULL: none that large. */
static struct page_info *find_chunk(unsigned int order, unsigned int addr_bits)
{
    unsigned int z = NR_ZONES, fitting;

    if (addr_bits != 0 && addr_bits < NR_ZONES + PAGE_SHIFT) {
        z = addr_bits > PAGE_SHIFT ? addr_bits - PAGE_SHIFT : 0;
    }
    while (z-- > 0) {
        fitting = zones[z].orders & (~0u << order);
        if (fitting != 0) {
            return page_list_first(&zones[z].chunks[lowest_bit(fitting)]);
        }
    }
    return NULL;
}

/* What must happen to an allocated chunk after the lock is dropped. */
struct cleanup {
    bool flush;
    uint32_t stamp;
};

/* Frames become in use. PGC_NEED_SCRUB stays for clean_frames. */
static void mark_in_use(struct page_info *pg, unsigned int order, struct cleanup *c)
{
    uint32_t now = tlb_clock_now();
    struct page_info *p;
    uint64_t i;

    for (i = 0; i < 1ull << order; i++) {
        p = nth(pg, i);
        BUG_ON((p->count_info & PGC_STATE_MASK) != PGC_STATE_FREE);
        if (p->count_info & PGC_NEED_SCRUB) {
            dirty_pages--;
        }
        if (p->partial_flags & FREE_NEEDS_FLUSH) {
            if (p->tlbflush_timestamp <= now && (!c->flush || p->tlbflush_timestamp > c->stamp)) {
                c->stamp = p->tlbflush_timestamp;
            }
            c->flush = true;
        }
        p->count_info &= PGC_NEED_SCRUB;
        p->type_info = 0;
        p->order = 0;
        p->partial_flags = 0;
        p->tlbflush_timestamp = 0;
        p->next = p->prev = PAGE_LIST_END;
    }
}

static void clean_frames(struct page_info *pg, unsigned int order, bool scrub,
                         const struct cleanup *c)
{
    struct page_info *p;
    uint64_t i;

    if (c->flush) {
        tlb_flush_since(cpu_online_map, c->stamp);
    }
    for (i = 0; i < 1ull << order; i++) {
        p = nth(pg, i);
        if (scrub && (p->count_info & PGC_NEED_SCRUB)) {
            clear_page(page_to_virt(p));
        }
        p->count_info = 0;
    }
}

static bool claims_allow(const struct domain *d, uint64_t pages)
{
    uint64_t mine = d != NULL ? d->outstanding_pages : 0;

    return claimed_pages - mine + pages <= free_pages || mine >= pages;
}

#define MAX_RETRIES 10000u

struct page_info *alloc_frames_for(struct domain *d, unsigned int order, unsigned int memflags)
{
    struct cleanup c = {false, 0};
    struct page_info *pg;
    unsigned long flags;
    unsigned int attempts = 0;
    bool retry;

    if (order > MAX_ORDER) {
        return NULL;
    }
    do {
        spin_lock_irqsave(&heap_lock, flags);
        pg = claims_allow(d, 1ull << order) ? find_chunk(order, memflags >> 8) : NULL;
        /* What is being cleared just now comes back in some microseconds. */
        retry = pg == NULL && borrowed_pages != 0 && attempts++ < MAX_RETRIES;
        if (pg != NULL) {
            unsigned int from = pg->order;

            chunk_remove(pg);
            pg = chunk_split(pg, from, order, 0);
            free_pages -= 1ull << order;
            zones[zone_of(page_to_mfn(pg))].free_pages -= 1ull << order;
            mark_in_use(pg, order, &c);
        }
        spin_unlock_irqrestore(&heap_lock, flags);
        cpu_relax();
    } while (retry);
    if (pg != NULL) {
        clean_frames(pg, order, !(memflags & MEMF_NO_SCRUB), &c);
    }
    return pg;
}

struct page_info *alloc_frames(unsigned int order, unsigned int memflags)
{
    return alloc_frames_for(NULL, order, memflags);
}

/* Frames that are broken stay in use for ever; the rest of their chunk goes back one by one. */
static bool any_broken(struct page_info *pg, unsigned int order)
{
    uint64_t i;

    for (i = 0; i < 1ull << order; i++) {
        if (nth(pg, i)->count_info & PGC_BROKEN) {
            return true;
        }
    }
    return false;
}

/*
 * What idle CPUs clear: ranges freed lately, oldest first. When there are too many, some are
 * forgotten, and cleared when they are allocated. Heap lock held.
 */
#define MAX_RECENT 512u
static struct {
    uint32_t start, n;
} recent[MAX_RECENT];
static unsigned int recent_producer, recent_consumer;

static void remember_dirty(mfn_t m, uint32_t n)
{
    uint32_t start = (uint32_t)m.v;
    unsigned int last = (recent_producer - 1) % MAX_RECENT;

    if (recent_producer != recent_consumer) {
        if (recent[last].start + recent[last].n == start) {
            recent[last].n += n;
            return;
        }
        if (start + n == recent[last].start) {
            recent[last].start = start;
            recent[last].n += n;
            return;
        }
    }
    if (recent_producer - recent_consumer < MAX_RECENT) {
        recent[recent_producer % MAX_RECENT].start = start;
        recent[recent_producer % MAX_RECENT].n = n;
        recent_producer++;
    }
}

void free_frames(struct page_info *pg, unsigned int order)
{
    uint32_t now = tlb_clock_now();
    unsigned long flags;
    struct page_info *p;
    uint64_t i;

    if (any_broken(pg, order)) {
        for (i = 0; order > 0 && i < 1ull << order; i++) {
            free_frames(nth(pg, i), 0);
        }
        return;
    }
    spin_lock_irqsave(&heap_lock, flags);
    for (i = 0; i < 1ull << order; i++) {
        p = nth(pg, i);
        BUG_ON((p->count_info & (PGC_STATE_MASK | PGC_ALLOCATED | PGC_COUNT_MASK)) != 0);
        if (p->owner != DOMID_INVALID) {
            p->partial_flags = FREE_NEEDS_FLUSH; /* a stolen one may have it already */
        }
        p->tlbflush_timestamp = now;
        p->owner = DOMID_INVALID;
        p->order = NOT_A_HEAD;
        p->count_info = PGC_STATE_FREE | PGC_NEED_SCRUB;
    }
    free_pages += 1ull << order;
    dirty_pages += 1ull << order;
    zones[zone_of(page_to_mfn(pg))].free_pages += 1ull << order;
    chunk_merge(pg, order);
    remember_dirty(page_to_mfn(pg), 1u << order);
    spin_unlock_irqrestore(&heap_lock, flags);
}

/* The free chunk that the frame is in; NULL: it is in use. */
static struct page_info *chunk_of(mfn_t m)
{
    unsigned int order;
    mfn_t head;

    for (order = 0; order <= MAX_ORDER; order++) {
        head = mfn(m.v & ~((1ull << order) - 1));
        if (is_free_chunk(head, order)) {
            return mfn_to_page(head);
        }
    }
    return NULL;
}

/* Takes the block of at most 1 << max_order frames around m out of its chunk. */
static struct page_info *borrow(struct page_info *chunk, mfn_t m, unsigned int max_order,
                                unsigned int *order)
{
    unsigned int from = chunk->order;
    struct page_info *pg;
    uint64_t i;

    *order = min(from, max_order);
    chunk_remove(chunk);
    pg = chunk_split(chunk, from, *order, m.v - page_to_mfn(chunk).v);
    for (i = 0; i < 1ull << *order; i++) {
        nth(pg, i)->count_info &= ~PGC_STATE_MASK;
    }
    borrowed_pages += 1ull << *order;
    return pg;
}

/* Frames of a range that are looked at in one go. */
#define MAX_SKIP 256u

struct page_info *heap_take_dirty(unsigned int max_order, unsigned int *order, bool *more)
{
    struct page_info *chunk, *pg = NULL;
    unsigned int at, looked;
    mfn_t m;

    for (looked = 0; looked < MAX_SKIP && pg == NULL; looked++) {
        if (recent_consumer == recent_producer) {
            break;
        }
        at = recent_consumer % MAX_RECENT;
        m = mfn(recent[at].start);
        chunk = mfn_to_page(m)->count_info & PGC_NEED_SCRUB ? chunk_of(m) : NULL;
        if (chunk != NULL) {
            pg = borrow(chunk, m, max_order, order);
        }
        recent[at].start++;
        if (--recent[at].n == 0) {
            recent_consumer++;
        }
    }
    *more = recent_consumer != recent_producer;
    return pg;
}

void heap_return_clean(struct page_info *pg, unsigned int order)
{
    struct page_info *p;
    uint64_t i;

    for (i = 0; i < 1ull << order; i++) {
        p = nth(pg, i);
        if (p->count_info & PGC_NEED_SCRUB) {
            dirty_pages--;
        }
        p->count_info = PGC_STATE_FREE;
        p->partial_flags = 0;
    }
    borrowed_pages -= 1ull << order;
    chunk_merge(pg, order);
}

static void heap_init(void)
{
    unsigned int z, o;

    for (z = 0; z < NR_ZONES; z++) {
        for (o = 0; o < NR_ORDERS; o++) {
            page_list_init(&zones[z].chunks[o]);
        }
    }
    initialised = true;
}

/* Memory from the boot loader's hands is cleared when it is given out, not ahead: the idle loop
 * would touch all of the machine's memory for nothing. */
void heap_add_region(paddr_t start, paddr_t end)
{
    uint64_t m = max((start.v + PAGE_SIZE - 1) >> PAGE_SHIFT, 1ull);
    uint64_t last = end.v >> PAGE_SHIFT, i;
    struct page_info *pg;
    unsigned long flags;
    unsigned int order;

    spin_lock_irqsave(&heap_lock, flags);
    if (!initialised) {
        heap_init();
    }
    while (m < last) {
        order = min(lowest_bit(m), highest_bit(last - m));
        order = min(order, MAX_ORDER);
        for (i = 0; i < 1ull << order; i++) {
            pg = mfn_to_page(mfn(m + i));
            *pg = (struct page_info){.count_info = PGC_STATE_FREE | PGC_NEED_SCRUB,
                                     .owner = DOMID_INVALID,
                                     .order = NOT_A_HEAD};
        }
        total_pages += 1ull << order;
        free_pages += 1ull << order;
        dirty_pages += 1ull << order;
        zones[zone_of(mfn(m))].free_pages += 1ull << order;
        chunk_merge(mfn_to_page(mfn(m)), order);
        m += 1ull << order;
    }
    spin_unlock_irqrestore(&heap_lock, flags);
}

bool heap_adjust_claim(struct domain *d, int64_t delta)
{
    unsigned long flags;
    bool ok = true;

    spin_lock_irqsave(&heap_lock, flags);
    if (delta > 0 && claimed_pages + (uint64_t)delta > free_pages) {
        ok = false;
    } else {
        claimed_pages += (uint64_t)delta;
        d->outstanding_pages += (uint64_t)delta;
    }
    spin_unlock_irqrestore(&heap_lock, flags);
    return ok;
}

uint64_t heap_free_pages(void)
{
    return READ_ONCE(free_pages);
}

uint64_t heap_total_pages(void)
{
    return READ_ONCE(total_pages);
}

uint64_t heap_dirty_pages(void)
{
    return READ_ONCE(dirty_pages);
}

uint64_t heap_outstanding_pages(void)
{
    return READ_ONCE(claimed_pages);
}

uint64_t heap_free_pages_in(unsigned int min_bits, unsigned int max_bits)
{
    unsigned int z;
    uint64_t n = 0;

    for (z = 0; z < NR_ZONES; z++) {
        if (z + 1 + PAGE_SHIFT >= min_bits && (max_bits == 0 || z + 1 + PAGE_SHIFT <= max_bits)) {
            n += READ_ONCE(zones[z].free_pages);
        }
    }
    return n;
}
