/*
 * kernel_elf.c: fuzzes everything between an ELF file and the guest's page tables: headers, notes,
 * checks, the plan of its memory. What is accepted must be loadable: all segments inside the
 * kernel's area, all areas inside the guest, none over another, no page table entry that points
 * outside.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/libxenctrl/kernel.h"

#define GUEST_PAGES 8192u

static uint64_t p2m[GUEST_PAGES];

static void check_apart(const struct xc_layout *l)
{
    const struct xc_area *areas[] = {&l->kernel,   &l->ramdisk, &l->p2m,    &l->start_info,
                                     &l->xenstore, &l->console, &l->tables, &l->stack};

    for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
        FUZZ_CHECK(areas[i]->pfn + areas[i]->pages <= l->nr_pages);
        for (size_t k = 0; k < i; k++) {
            FUZZ_CHECK(areas[i]->pages == 0 || areas[k]->pages == 0 ||
                       areas[i]->pfn + areas[i]->pages <= areas[k]->pfn ||
                       areas[k]->pfn + areas[k]->pages <= areas[i]->pfn);
        }
    }
}

static void check_tables(const struct xc_layout *l)
{
    uint64_t entries[512];

    for (uint64_t i = 0; i < GUEST_PAGES; i++) {
        p2m[i] = i + 1000000;
    }
    for (unsigned int i = 0; i < l->nr_page_tables; i++) {
        FUZZ_CHECK(xc_layout_is_table(l, l->page_tables[i].pfn));
        xc_table_fill(l, i, p2m, entries);
        for (unsigned int k = 0; k < 512; k++) {
            uint64_t mfn = entries[k] >> 12 & 0xffffffffff;

            FUZZ_CHECK(entries[k] == 0 || mfn - 1000000 < GUEST_PAGES);
            FUZZ_CHECK(entries[k] == 0 || l->page_tables[i].level > 1 ||
                       ((entries[k] & 2) != 0) != xc_layout_is_table(l, mfn - 1000000));
        }
    }
}

static void check_plan(const struct xc_guest *g, uint64_t ramdisk)
{
    char why[XC_WHY_SIZE];
    struct xc_layout l;

    if (xc_layout_plan(g, GUEST_PAGES, ramdisk, &l, why) == 0) {
        for (unsigned int i = 0; i < g->elf.nr_segments; i++) {
            const struct xc_segment *s = &g->elf.segments[i];
            uint64_t at = s->paddr + g->offset - g->virt_base;

            FUZZ_CHECK(s->file_size <= s->size && s->offset + s->file_size <= g->elf.size);
            FUZZ_CHECK(at / 4096 >= l.kernel.pfn);
            FUZZ_CHECK((at + s->size - 1) / 4096 < l.kernel.pfn + l.kernel.pages);
        }
        if (g->notes.hypercall_page != XC_UNSET) {
            FUZZ_CHECK((g->notes.hypercall_page - g->virt_base) / 4096 < l.nr_pages);
        }
        check_apart(&l);
        check_tables(&l);
    }
    xc_layout_finish(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[XC_WHY_SIZE] = "";
    struct xc_guest g;

    if (xc_guest_parse(data, size, &g, why) == 0) {
        check_plan(&g, 0);
        check_plan(&g, 12345);
    } else {
        FUZZ_CHECK(why[0] != '\0');
    }
    return 0;
}

uint8_t *fuzz_seed(unsigned int i, size_t *size)
{
    static const struct kernel_options options[] = {
        {0}, {.legacy = true}, {.no_p2m = true, .no_mod_pfn = true, .paddr = 0x100000}};

    return i < ARRAY_SIZE(options) ? kernel_elf(&options[i], size) : NULL;
}
