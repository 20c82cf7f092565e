/*
 * layout.c: where everything lies in a new guest's memory.
 *
 * Read builder.h first, and "Domain layout" in <xen/xen.h>, which fixes the order: kernel, ramdisk,
 * list of frames, start info, (xenstore, console,) page tables, boot stack, each on a page of its
 * own; then at least 512 KiB, to a multiple of 4 MiB of virtual addresses. A kernel that says so
 * (MOD_START_PFN, INIT_P2M: Linux does) gets ramdisk and list of frames behind all that instead.
 *
 * Guest frames are consecutive from 0, and frame 0 is mapped at the kernel's virtual base.
 */
#include "libxenctrl/builder/builder.h"
#include <stdlib.h>

#define PADDING_PAGES (512u * 1024 / XC_PAGE_SIZE)
#define MAP_ALIGN     (4ull << 20)

static uint64_t pages_of(uint64_t bytes)
{
    return bytes / XC_PAGE_SIZE + (bytes % XC_PAGE_SIZE != 0);
}

static int too_small(const struct xc_layout *layout, uint64_t needed, char *why)
{
    xc_explain(why, XC_WHY_SIZE, "it needs at least %llu MiB of memory%s, and was given %llu",
               (unsigned long long)(needed + 255) >> 8,
               layout->ramdisk_bytes > 0 ? " with this ramdisk" : "",
               (unsigned long long)layout->nr_pages >> 8);
    return -ENOMEM;
}

/* The next @pages frames. They may lie beyond the guest's memory: that is checked at the end. */
static struct xc_area take(struct xc_layout *layout, uint64_t pages)
{
    struct xc_area area = {layout->end, pages};

    layout->end += pages;
    return area;
}

/*
 * Page tables for the first mapping, which include themselves: guess how many, plan, and guess
 * again until they fit.
 */
static int plan_first_mapping(struct xc_layout *layout, char *why)
{
    uint64_t guess = 1;

    for (;;) {
        uint64_t used = layout->end + guess + 1 + PADDING_PAGES;
        uint64_t last = layout->virt_base + used * XC_PAGE_SIZE - 1;
        struct xc_mapping mapping;
        long tables;

        last |= MAP_ALIGN - 1;
        mapping = (struct xc_mapping){layout->virt_base & 0xffffffffffffull,
                                      (last - layout->virt_base) / XC_PAGE_SIZE + 1, 0};
        if (mapping.pages * XC_PAGE_SIZE > XC_MOST_MAPPED || last < layout->virt_base ||
            (last ^ layout->virt_base) >> 47 != 0) {
            xc_explain(why, XC_WHY_SIZE,
                       "kernel and ramdisk together are more than its first page tables can map");
            return -EFBIG;
        }
        layout->nr_page_tables = 0;
        tables = xc_tables_plan(layout, &mapping, layout->end);
        if (tables < 0) {
            xc_explain(why, XC_WHY_SIZE, "there is no memory left to plan its page tables");
            return (int)tables;
        }
        if ((uint64_t)tables <= guess) {
            layout->tables = take(layout, (uint64_t)tables);
            layout->mappings[layout->nr_mappings++] = mapping;
            layout->mapped = mapping.pages;
            return 0;
        }
        guess = (uint64_t)tables;
    }
}

/* May the list of frames lie where the kernel wants it? Xen ignores other wishes, and so do we. */
static bool p2m_apart(const struct xc_guest *guest)
{
    return guest->notes.init_p2m != XC_UNSET && guest->notes.init_p2m < guest->virt_base &&
           guest->notes.init_p2m % XC_PAGE_SIZE == 0;
}

/* The list of frames in a mapping of its own, followed by that mapping's page tables. */
static int plan_p2m_apart(const struct xc_guest *guest, struct xc_layout *layout, char *why)
{
    uint64_t base = guest->notes.init_p2m, bytes = layout->p2m_list * XC_PAGE_SIZE;
    uint64_t last = base + bytes - 1;
    struct xc_mapping mapping = {base & 0xffffffffffffull, layout->p2m_list, layout->end};
    long tables;

    if (last < base || last >= guest->virt_base || (base ^ last) >> 47 != 0 ||
        (base >> 47 != 0 && base >> 47 != 0x1ffff) ||
        (last >= 0xffff800000000000ull && base < 0xffff880000000000ull)) {
        xc_explain(why, XC_WHY_SIZE,
                   "it wants its list of frames at addresses that a PV guest doesn't have");
        return -ENOEXEC;
    }
    tables = xc_tables_plan(layout, &mapping, layout->end + layout->p2m_list);
    if (tables < 0) {
        xc_explain(why, XC_WHY_SIZE, "there is no memory left to plan its page tables");
        return (int)tables;
    }
    layout->p2m = take(layout, layout->p2m_list + (uint64_t)tables);
    layout->p2m_vaddr = base;
    layout->mappings[layout->nr_mappings++] = mapping;
    return 0;
}

static uint64_t vaddr_of(const struct xc_layout *layout, const struct xc_area *area)
{
    return layout->virt_base + area->pfn * XC_PAGE_SIZE;
}

static int plan_all(const struct xc_guest *guest, struct xc_layout *layout, char *why)
{
    bool apart = p2m_apart(guest);
    int rc;

    layout->end = (guest->kstart - guest->virt_base) / XC_PAGE_SIZE;
    layout->kernel = take(layout, pages_of(guest->kend - guest->virt_base) - layout->end);
    if (!layout->ramdisk_by_pfn) {
        layout->ramdisk = take(layout, pages_of(layout->ramdisk_bytes));
    }
    if (!apart) {
        layout->p2m = take(layout, layout->p2m_list);
        layout->p2m_vaddr = vaddr_of(layout, &layout->p2m);
    }
    layout->start_info = take(layout, 1);
    layout->xenstore = take(layout, 1);
    layout->console = take(layout, 1);
    rc = plan_first_mapping(layout, why);
    if (rc < 0) {
        return rc;
    }
    layout->stack = take(layout, 1);
    layout->end = layout->mapped;
    if (layout->ramdisk_by_pfn) {
        layout->ramdisk = take(layout, pages_of(layout->ramdisk_bytes));
    }
    return apart ? plan_p2m_apart(guest, layout, why) : 0;
}

int xc_layout_plan(const struct xc_guest *guest, uint64_t nr_pages, uint64_t ramdisk_bytes,
                   struct xc_layout *layout, char *why)
{
    int rc;

    *layout = (struct xc_layout){
        .nr_pages = nr_pages,
        .virt_base = guest->virt_base,
        .ramdisk_bytes = ramdisk_bytes,
        .ramdisk_by_pfn = guest->notes.mod_start_pfn,
        .p2m_list = pages_of(nr_pages * sizeof(uint64_t)),
    };
    if (nr_pages == 0 || nr_pages > 1ull << 40 || ramdisk_bytes > 1ull << 40) {
        xc_explain(why, XC_WHY_SIZE, "no guest has that much memory or so large a ramdisk");
        return -EFBIG;
    }
    rc = plan_all(guest, layout, why);
    if (rc == 0 && layout->end > nr_pages) {
        rc = too_small(layout, layout->end, why);
    }
    return rc;
}

void xc_layout_finish(struct xc_layout *layout)
{
    free(layout->page_tables);
    layout->page_tables = NULL;
}
