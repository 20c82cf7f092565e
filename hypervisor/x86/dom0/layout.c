/*
 * Where everything of Domain 0 lies at its start. Source: "Start-of-day memory layout" in
 * <xen/xen.h>. In order from v_start: kernel, ramdisk (when mapped), frame list (when not at
 * INIT_P2M), start info, page tables, stack; then padding. What is not mapped there (ramdisk, frame
 * list) has frames behind v_end.
 */
#include <hospes/lib.h>
#include "dom0.h"

#define L1_SPAN (1ul << 21) /* what one table of a level maps */
#define L2_SPAN (1ul << 30)
#define L3_SPAN (1ul << 39)
#define PADDING (512ul << 10)
#define V_ALIGN (4ul << 20)

static unsigned long __init tables_for(unsigned long start, unsigned long end, unsigned long span)
{
    return start == end ? 0 : (end - 1) / span - start / span + 1;
}

/* Tables below the L4 for two ranges that do not touch; upper levels are shared where they can be.
 */
static unsigned long __init count_tables(const struct dom0_layout *l, unsigned long v_end,
                                         bool p2m_apart)
{
    static const unsigned long spans[] = {L1_SPAN, L2_SPAN, L3_SPAN};
    unsigned long n = 1;

    for (unsigned int i = 0; i < ARRAY_SIZE(spans); i++) {
        unsigned long s = spans[i];

        n += tables_for(l->v_start, v_end, s);
        if (p2m_apart) {
            n += tables_for(l->p2m_start, l->p2m_end, s);
            if ((l->p2m_end - 1) / s == l->v_start / s || l->p2m_start / s == (v_end - 1) / s) {
                n--;
            }
        }
    }
    return n;
}

static unsigned long __init take(unsigned long *at, unsigned long bytes)
{
    unsigned long start = *at;

    *at += ROUNDUP(bytes, PAGE_SIZE);
    return start;
}

void __init layout_compute(struct dom0_layout *l, const struct dom0_kernel *k,
                           unsigned long nr_pages, size_t initrd_len)
{
    bool p2m_apart = k->init_p2m != NO_ADDR;
    unsigned long p2m_bytes = nr_pages * sizeof(unsigned long), at, pfn, nr_pt = 0;

    *l = (struct dom0_layout){.nr_pages = nr_pages, .v_start = k->virt_base};
    l->kernel_start = k->pstart + k->offset;
    l->kernel_end = at = ROUNDUP(k->pend + k->offset, PAGE_SIZE);
    if (initrd_len && !k->mod_start_pfn) {
        l->initrd_start = take(&at, initrd_len);
        l->initrd_end = l->initrd_start + initrd_len;
        l->initrd_pfn = (l->initrd_start - l->v_start) >> PAGE_SHIFT;
    }
    if (p2m_apart) {
        l->p2m_start = k->init_p2m;
        l->p2m_end = l->p2m_start + ROUNDUP(p2m_bytes, PAGE_SIZE);
    } else {
        l->p2m_start = take(&at, p2m_bytes);
        l->p2m_end = at;
        l->p2m_pfn = (l->p2m_start - l->v_start) >> PAGE_SHIFT;
    }
    l->start_info = take(&at, PAGE_SIZE);
    l->pt_start = at;
    do { /* more tables need more mapping, which may need more tables */
        l->nr_pt = nr_pt;
        l->stack_top = l->pt_start + nr_pt * PAGE_SIZE + PAGE_SIZE;
        l->v_end = ROUNDUP(l->stack_top + PADDING, V_ALIGN);
        nr_pt = count_tables(l, l->v_end, p2m_apart);
    } while (nr_pt > l->nr_pt);

    pfn = (l->v_end - l->v_start) >> PAGE_SHIFT;
    if (p2m_apart) {
        l->p2m_pfn = pfn;
        pfn += (l->p2m_end - l->p2m_start) >> PAGE_SHIFT;
    }
    if (initrd_len && k->mod_start_pfn) {
        l->initrd_pfn = pfn;
        pfn += DIV_ROUND_UP(initrd_len, PAGE_SIZE);
    }
    if (pfn > nr_pages) {
        dom0_fail(
            "Domain 0's kernel and ramdisk take %lu MB, but dom0_mem gives it only %lu MB: raise "
            "dom0_mem to at least %lu MB.",
            pfn >> 8, nr_pages >> 8, (pfn >> 8) + 192);
    }
}
