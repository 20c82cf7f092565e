/*
 * x86: frame table and direct map as arrays at fixed addresses, sparse, backed for RAM only
 * (x86/mm/paging.c). Inline because every reference to a frame goes through here. Contracts:
 * <hospes/page.h>, which includes this.
 */
#ifndef ARCH_FRAMES_H
#define ARCH_FRAMES_H

#include <hospes/bitops.h>
#include <arch/layout.h>
#include <xen/xen.h>

#define frame_table ((struct page_info *)FRAMETABLE_START)

/* Frames whose page_info shares a 2 MiB page; which of those pages exist (x86/mm/frames.c). */
#define FRAME_CHUNK_SHIFT 16
#define FRAME_CHUNKS      ((DIRECTMAP_END - DIRECTMAP_START) >> (FRAME_CHUNK_SHIFT + PAGE_SHIFT))
extern unsigned long frame_chunk_map[BITS_TO_LONGS(FRAME_CHUNKS)];
/* One above the highest frame with a frame table entry. */
extern uint64_t max_mfn;

/* Is there a frame table entry to look at? A frame that is no RAM then belongs to DOMID_IO. */
static inline bool frame_backed(mfn_t m)
{
    return m.v < max_mfn && test_bit((unsigned int)(m.v >> FRAME_CHUNK_SHIFT), frame_chunk_map);
}
static inline bool mfn_valid(mfn_t m)
{
    return frame_backed(m) && READ_ONCE(frame_table[m.v].owner) != DOMID_IO;
}
static inline struct page_info *mfn_to_page(mfn_t m)
{
    return &frame_table[m.v];
}
static inline mfn_t page_to_mfn(const struct page_info *pg)
{
    return mfn((uint64_t)(pg - frame_table));
}
static inline void *mfn_to_virt(mfn_t m)
{
    return (void *)(DIRECTMAP_START + (m.v << PAGE_SHIFT));
}

#endif
