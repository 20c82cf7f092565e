/*
 * pagetable.c: the first page tables of a 64-bit PV guest: which there are, and what is in them.
 *
 * Read builder.h first. Entries hold machine frames. The hypervisor accepts the tree only if no
 * page table is mapped writable, so pages that are tables themselves are mapped read-only.
 * Addresses here are the low 48 bits; the mappings never cross a sign change, layout.c and check.c
 * see to it.
 */
#include "libxenctrl/builder/builder.h"
#include <stdlib.h>

enum {
    PRESENT = 1 << 0,
    WRITABLE = 1 << 1,
    USER = 1 << 2,
    ACCESSED = 1 << 5,
    DIRTY = 1 << 6,
};
#define PAGE_FLAGS  ((uint64_t)(PRESENT | WRITABLE | ACCESSED))
#define TABLE_FLAGS ((uint64_t)(PRESENT | WRITABLE | USER | ACCESSED | DIRTY))

/* Address bits that an entry of a table of @level maps. */
static unsigned int entry_shift(unsigned int level)
{
    return XC_PAGE_SHIFT + 9 * (level - 1);
}

/* The first address that the table of @level which maps @address maps. */
static uint64_t table_base(unsigned int level, uint64_t address)
{
    return level == 4 ? 0 : address >> entry_shift(level + 1) << entry_shift(level + 1);
}

static bool has_table(const struct xc_layout *layout, unsigned int level, uint64_t base)
{
    for (unsigned int i = layout->nr_page_tables; i-- > 0;) {
        const struct xc_table *t = &layout->page_tables[i];

        if (t->level == level && t->base == base) {
            return true;
        }
    }
    return false;
}

static int add_table(struct xc_layout *layout, unsigned int level, uint64_t base, uint64_t pfn)
{
    struct xc_table *more;

    if (layout->nr_page_tables == layout->room) {
        unsigned int room = layout->room == 0 ? 64 : layout->room * 2;

        more = reallocarray(layout->page_tables, room, sizeof(*more));
        if (more == NULL) {
            return -ENOMEM;
        }
        layout->page_tables = more;
        layout->room = room;
    }
    layout->page_tables[layout->nr_page_tables++] = (struct xc_table){base, pfn, level};
    return 0;
}

long xc_tables_plan(struct xc_layout *layout, const struct xc_mapping *mapping, uint64_t pfn)
{
    uint64_t last = mapping->base + mapping->pages * XC_PAGE_SIZE - 1, first_pfn = pfn;

    for (unsigned int level = 4; level >= 1; level--) {
        uint64_t base = table_base(level, mapping->base), end = table_base(level, last);
        uint64_t step = 1ull << (level == 4 ? 48 : entry_shift(level + 1));

        for (; base <= end; base += step) {
            if (has_table(layout, level, base)) {
                continue;
            }
            if (add_table(layout, level, base, pfn++) < 0) {
                return -ENOMEM;
            }
        }
    }
    return (long)(pfn - first_pfn);
}

bool xc_layout_is_table(const struct xc_layout *layout, uint64_t pfn)
{
    uint64_t own = layout->p2m.pfn + layout->p2m_list;

    return (pfn >= layout->tables.pfn && pfn < layout->tables.pfn + layout->tables.pages) ||
           (pfn >= own && pfn < layout->p2m.pfn + layout->p2m.pages);
}

/* A table of level 1: entries for the pages of each mapping that it overlaps. */
static void fill_lowest(const struct xc_layout *layout, const struct xc_table *table,
                        const uint64_t *p2m, uint64_t entries[512])
{
    uint64_t table_last = table->base + (512ull << XC_PAGE_SHIFT) - 1;

    for (unsigned int m = 0; m < layout->nr_mappings; m++) {
        const struct xc_mapping *map = &layout->mappings[m];
        uint64_t first = map->base > table->base ? map->base : table->base;
        uint64_t last = map->base + map->pages * XC_PAGE_SIZE - 1;

        last = last < table_last ? last : table_last;
        for (uint64_t a = first; a <= last; a += XC_PAGE_SIZE) {
            uint64_t pfn = map->pfn + ((a - map->base) >> XC_PAGE_SHIFT);
            uint64_t flags = PAGE_FLAGS;

            if (xc_layout_is_table(layout, pfn)) {
                flags &= ~(uint64_t)WRITABLE;
            }
            entries[(a - table->base) >> XC_PAGE_SHIFT] = p2m[pfn] << XC_PAGE_SHIFT | flags;
        }
    }
}

void xc_table_fill(const struct xc_layout *layout, unsigned int i, const uint64_t *p2m,
                   uint64_t entries[512])
{
    const struct xc_table *table = &layout->page_tables[i];

    memset(entries, 0, XC_PAGE_SIZE);
    if (table->level == 1) {
        fill_lowest(layout, table, p2m, entries);
        return;
    }
    for (unsigned int k = 0; k < layout->nr_page_tables; k++) {
        const struct xc_table *child = &layout->page_tables[k];

        if (child->level == table->level - 1 &&
            table_base(table->level, child->base) == table->base) {
            entries[(child->base >> entry_shift(table->level)) & 511] =
                p2m[child->pfn] << XC_PAGE_SHIFT | TABLE_FLAGS;
        }
    }
}
