/* fake: the frame table is an array of the process (fake/memory.c). Contracts: <hospes/page.h>. */
#ifndef ARCH_FRAMES_H
#define ARCH_FRAMES_H

bool mfn_valid(mfn_t m);
struct page_info *mfn_to_page(mfn_t m);
mfn_t page_to_mfn(const struct page_info *pg);
void *mfn_to_virt(mfn_t m);

#endif
