/*
 * p2m.c: reading the list of frames that a running PV guest keeps, in the two forms that the ABI
 * has: a linear list in the guest's own address space (p2m_cr3, p2m_vaddr), and the older tree
 * (pfn_to_mfn_frame_list_list). See struct arch_shared_info in <xen/arch-x86/xen.h>.
 *
 * Invariant: all of it is guest memory, that is, hostile. A wrong frame number is an error of the
 * mapping and nothing more; nothing is allocated by the guest's numbers, and each step maps one
 * page.
 */
#include <sys/mman.h>

#include "libxenctrl/p2m.h"

#define MOST_PAGES (1ull << 36) /* 256 TiB */
#define PRESENT    1ull
#define FRAME_MASK 0x000ffffffffff000ull

int xc_p2m_begin(struct xc_p2m *p2m, struct xc_handle *h, uint32_t domid,
                 const struct shared_info *shared)
{
    uint64_t last;

    *p2m = (struct xc_p2m){
        .h = h,
        .domid = domid,
        .pages = shared->arch.max_pfn,
        .cr3 = shared->arch.p2m_cr3 >> XC_PAGE_SHIFT,
        .vaddr = shared->arch.p2m_vaddr,
        .list_list = shared->arch.pfn_to_mfn_frame_list_list,
    };
    if (p2m->pages == 0 || p2m->pages > MOST_PAGES ||
        (p2m->cr3 == 0 && (p2m->list_list == 0 || p2m->list_list == UINT64_MAX))) {
        return xc_fail(h, -ENODATA,
                       "Domain %u hasn't yet said where its list of frames is: it is too early in "
                       "its start, or it is no guest that does.",
                       domid);
    }
    last = p2m->vaddr + p2m->pages * sizeof(uint64_t);
    if (p2m->cr3 != 0 && (p2m->vaddr % XC_PAGE_SIZE != 0 || last < p2m->vaddr)) {
        return xc_fail(h, -ENODATA, "Domain %u has its list of frames at an impossible address.",
                       domid);
    }
    return 0;
}

static void forget(struct xc_p2m *p2m, unsigned int level)
{
    xc_unmap((void *)(uintptr_t)p2m->level[level].entries, 1);
    p2m->level[level].entries = NULL;
}

void xc_p2m_finish(struct xc_p2m *p2m)
{
    for (unsigned int i = 0; i <= P2M_LEVELS; i++) {
        forget(p2m, i);
    }
}

/* The frame @mfn, as what the walk needs at @level. The last one of each level stays mapped. */
static const uint64_t *map_level(struct xc_p2m *p2m, unsigned int level, uint64_t mfn)
{
    if (p2m->level[level].entries != NULL && p2m->level[level].mfn == mfn) {
        return p2m->level[level].entries;
    }
    forget(p2m, level);
    p2m->level[level].mfn = mfn;
    p2m->level[level].entries = xc_map_frame(p2m->h, p2m->domid, PROT_READ, mfn);
    return p2m->level[level].entries;
}

/* By walking the guest's page tables. */
static const uint64_t *read_linear(struct xc_p2m *p2m, uint64_t first)
{
    uint64_t vaddr = p2m->vaddr + first * sizeof(uint64_t), mfn = p2m->cr3;

    for (unsigned int level = P2M_LEVELS; level >= 1; level--) {
        const uint64_t *table = map_level(p2m, level, mfn);
        uint64_t entry;

        if (table == NULL) {
            return NULL;
        }
        entry = __atomic_load_n(&table[(vaddr >> (XC_PAGE_SHIFT + 9 * (level - 1))) & 511],
                                __ATOMIC_RELAXED);
        if (!(entry & PRESENT)) {
            return NULL;
        }
        mfn = (entry & FRAME_MASK) >> XC_PAGE_SHIFT;
    }
    return map_level(p2m, 0, mfn);
}

static const uint64_t *read_tree(struct xc_p2m *p2m, uint64_t first)
{
    const uint64_t *list;

    if (first >> 27 != 0) {
        return NULL; /* the tree's root is one page */
    }
    list = map_level(p2m, 2, p2m->list_list);
    if (list == NULL) {
        return NULL;
    }
    list = map_level(p2m, 1, __atomic_load_n(&list[first >> 18], __ATOMIC_RELAXED));
    if (list == NULL) {
        return NULL;
    }
    return map_level(p2m, 0, __atomic_load_n(&list[(first >> 9) & 511], __ATOMIC_RELAXED));
}

const uint64_t *xc_p2m_read(struct xc_p2m *p2m, uint64_t first)
{
    return p2m->cr3 != 0 ? read_linear(p2m, first) : read_tree(p2m, first);
}
