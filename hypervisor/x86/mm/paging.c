/*
 * The hypervisor's own page tables: direct map, frame table and machine-to-physical table, built
 * once at boot into the top-level table that head.S made (boot_l4); afterwards only 4 KiB mappings
 * of the vmap area come and go. The top-level entries are all filled here, so every address space
 * that copied them sees later changes. Table entries are installed by compare-and-exchange, so no
 * lock is needed. Read first: <arch/layout.h>, <arch/mm.h>.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <arch/boot.h>
#include <arch/cpufeature.h>
#include <arch/layout.h>
#include <arch/mm.h>

#define FRAMES_PER_2M 512u
#define LOW_FRAMES    (1ul << (32 - PAGE_SHIFT)) /* what the early map reaches */

uint64_t max_mfn;

static pte_t *table_va(pte_t e)
{
    return (pte_t *)(DIRECTMAP_START + (e & PTE_FRAME));
}

/* A cleared frame for a table: from the boot allocator until there is a heap. */
static uint64_t alloc_table(void)
{
    void *va;

    if (heap_total_pages() == 0) {
        return boot_alloc_pages(1, true).v;
    }
    va = alloc_xenheap_pages(0, 0);
    return va ? virt_to_mfn(va).v << PAGE_SHIFT : 0;
}

static void free_table(uint64_t pa)
{
    if (heap_total_pages() != 0) {
        free_xenheap_pages((void *)(DIRECTMAP_START + pa), 0);
    }
}

/* The table below *e, made if there is none; NULL: no memory. */
static pte_t *next_table(pte_t *e, pte_t flags)
{
    pte_t old = READ_ONCE(*e);

    if (!(old & PTE_P)) {
        uint64_t pa = alloc_table();

        if (pa == 0) {
            return NULL;
        }
        if (__atomic_compare_exchange_n(e, &old, pa | flags, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            old = pa | flags;
        } else {
            free_table(pa);
        }
    }
    return table_va(old);
}

/* The entry of `level` for va; NULL: no memory for a table above it. */
static pte_t *entry_for(unsigned long va, unsigned int level, pte_t flags)
{
    pte_t *table = boot_l4;

    for (unsigned int l = 4; l > level && table; l--) {
        table = next_table(&table[PT_INDEX(va, l)], flags);
    }
    return table ? &table[PT_INDEX(va, level)] : NULL;
}

int map_hyp_page(unsigned long va, mfn_t m, pte_t flags)
{
    pte_t *e = entry_for(va, 1, PTE_HYP_TABLE);

    if (!e) {
        return -ENOMEM;
    }
    WRITE_ONCE(*e, pte_make(m, flags));
    return 0;
}

int map_hyp_pages(unsigned long va, mfn_t m, size_t n, pte_t flags)
{
    for (size_t i = 0; i < n; i++) {
        int rc = map_hyp_page(va + i * PAGE_SIZE, mfn_add(m, i), flags);

        if (rc != 0) {
            unmap_hyp_pages(va, i);
            return rc;
        }
    }
    return 0;
}

/* The entry that maps va, of the level put into *level; NULL: none. */
static pte_t *lookup(unsigned long va, unsigned int *level)
{
    pte_t *table = boot_l4;

    for (unsigned int l = 4;; l--) {
        pte_t *e = &table[PT_INDEX(va, l)];

        if (!(*e & PTE_P)) {
            return NULL;
        }
        if (l == 1 || (l < 4 && (*e & PTE_PS))) {
            *level = l;
            return e;
        }
        table = table_va(*e);
    }
}

void unmap_hyp_pages(unsigned long va, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned int level;
        pte_t *e = lookup(va + i * PAGE_SIZE, &level);

        if (e && level == 1) {
            WRITE_ONCE(*e, 0);
        }
    }
    if (n != 0) {
        hyp_tlb_flush_all();
    }
}

paddr_t hyp_va_to_pa(const void *va)
{
    unsigned int level;
    pte_t *e = lookup((unsigned long)va, &level);

    if (!e) {
        return paddr(~0ull);
    }
    return paddr((*e & PTE_FRAME & ~(LEVEL_SIZE(level) - 1)) |
                 ((unsigned long)va & (LEVEL_SIZE(level) - 1)));
}

paddr_t idle_cr3(void)
{
    return paddr(__pa_image(boot_l4));
}

/* ---- boot ---- */

static void __init map_boot(unsigned long va, uint64_t pa, unsigned int level, pte_t flags)
{
    pte_t *e = entry_for(va, level, PTE_HYP_TABLE);

    if (!(*e & PTE_P)) {
        *e = pa | flags | (level > 1 ? PTE_PS : 0);
    }
}

static void __init map_direct(uint64_t start, uint64_t end)
{
    while (start < end) {
        unsigned int level = 1;

        for (unsigned int l = cpu_has(X86_PAGE1GB) ? 3 : 2; l > 1; l--) {
            if (IS_ALIGNED(start, LEVEL_SIZE(l)) && end - start >= LEVEL_SIZE(l)) {
                level = l;
                break;
            }
        }
        map_boot(DIRECTMAP_START + start, start, level, PTE_HYP_RW);
        start += LEVEL_SIZE(level);
    }
}

/* Backs the 2 MiB pieces of [va, va + bytes) that have none yet with RAM; content undefined. */
static void __init back_table(unsigned long va, uint64_t bytes, unsigned long ro_va)
{
    unsigned long end = va + bytes, first = ROUNDDOWN(va, LEVEL_SIZE(2));

    for (unsigned long at = first; at < end; at += LEVEL_SIZE(2)) {
        pte_t *e = entry_for(at, 2, PTE_HYP_TABLE);

        if (!(*e & PTE_P)) {
            *e = boot_alloc_pages(FRAMES_PER_2M, false).v | PTE_HYP_RW | PTE_PS;
        }
        if (ro_va != 0) {
            pte_t *ro = entry_for(ro_va + (at - va), 2, PTE_HYP_TABLE | PTE_US);

            *ro = (*e & PTE_FRAME) | PTE_P | PTE_US | PTE_A | PTE_NX | PTE_G | PTE_PS;
        }
    }
}

/* [first, last): frames of one region of RAM. */
static void __init back_tables_for(uint64_t first, uint64_t last)
{
    for (uint64_t m = first; m < last; m = (m | 0xffff) + 1) {
        frame_chunk_backed(m);
    }
    back_table(FRAMETABLE_START + first * sizeof(struct page_info),
               (last - first) * sizeof(struct page_info), 0);
    first = ROUNDDOWN(first, LEVEL_SIZE(2) / 8);
    back_table(RW_M2P_START + first * 8, (last - first) * 8, RO_M2P_START + first * 8);
}

/* Fills what back_tables_for has backed: all frames holes, then those of RAM. */
static void __init clear_chunk(unsigned long va, uint8_t value)
{
    memset((void *)va, value, LEVEL_SIZE(2));
}

static void __init clear_tables(void)
{
    for (uint64_t at = 0; at < max_mfn * sizeof(struct page_info); at += LEVEL_SIZE(2)) {
        struct page_info *pg = (struct page_info *)(FRAMETABLE_START + at);

        if (hyp_va_to_pa(pg).v == ~0ull) {
            continue;
        }
        clear_chunk((unsigned long)pg, 0);
        for (unsigned int i = 0; i < LEVEL_SIZE(2) / sizeof(*pg); i++) {
            pg[i].owner = DOMID_IO;
        }
    }
    for (uint64_t at = 0; at < max_mfn * 8; at += LEVEL_SIZE(2)) {
        if (hyp_va_to_pa((void *)(RW_M2P_START + at)).v != ~0ull) {
            clear_chunk(RW_M2P_START + at, 0xff);
        }
    }
}

static void __init mark_ram(uint64_t first, uint64_t last)
{
    for (uint64_t m = first; m < last; m++) {
        ((struct page_info *)FRAMETABLE_START)[m].owner = DOMID_INVALID;
    }
}

#define for_each_ram(map, i, first, last)                                                 \
    for (unsigned int i = 0; i < (map)->nr; i++)                                          \
        if (((first) = DIV_ROUND_UP((map)->region[i].start, PAGE_SIZE),                   \
             (last) = min(((map)->region[i].start + (map)->region[i].size) >> PAGE_SHIFT, \
                          (DIRECTMAP_END - DIRECTMAP_START) >> PAGE_SHIFT),               \
             (map)->region[i].type == E820_RAM && (first) < (last)))

static bool __init holds_ram(const struct memory_map *map, uint64_t start, uint64_t end)
{
    uint64_t first, last;

    for_each_ram(map, i, first, last)
    {
        if (first << PAGE_SHIFT < end && start < last << PAGE_SHIFT) {
            return true;
        }
    }
    return false;
}

/*
 * The early map of the low 4 GiB (shared with the identity map that other CPUs start on) is copied
 * without execute permission and without the 2 MiB pages that hold no RAM.
 */
static void __init copy_early_map(const struct memory_map *map)
{
    pte_t *slot = &boot_l4[PT_INDEX(DIRECTMAP_START, 4)];
    pte_t *early_l3 = table_va(*slot);
    uint64_t l3_pa = boot_alloc_pages(1, true).v;
    pte_t *l3 = table_va(l3_pa);

    for (unsigned int i = 0; i < 4; i++) {
        pte_t *early = table_va(early_l3[i]);
        uint64_t l2_pa = boot_alloc_pages(1, true).v;
        pte_t *l2 = table_va(l2_pa);

        for (unsigned int j = 0; j < PTES_PER_TABLE; j++) {
            uint64_t pa = early[j] & PTE_FRAME;

            if (pa == 0 || holds_ram(map, pa, pa + LEVEL_SIZE(2))) {
                l2[j] = pa | PTE_HYP_RW | PTE_PS;
            }
        }
        l3[i] = l2_pa | PTE_HYP_TABLE;
    }
    *slot = l3_pa | PTE_HYP_TABLE;
}

void __init paging_init(const struct memory_map *map)
{
    uint64_t first, last;

    copy_early_map(map);
    for (unsigned int slot = HYPERVISOR_FIRST_SLOT; slot <= HYPERVISOR_LAST_SLOT; slot++) {
        if (slot != PERDOMAIN_SLOT && !(boot_l4[slot] & PTE_P)) {
            boot_l4[slot] = boot_alloc_pages(1, true).v | PTE_HYP_TABLE |
                            (slot == HYPERVISOR_FIRST_SLOT ? PTE_US : 0);
        }
    }
    for_each_ram(map, i, first, last)
    {
        back_tables_for(first, last);
        if (last > LOW_FRAMES) {
            map_direct(max(first, LOW_FRAMES) << PAGE_SHIFT, last << PAGE_SHIFT);
        }
        max_mfn = last;
    }
    load_cr3(idle_cr3());
    clear_tables();
    for_each_ram(map, i, first, last)
    {
        mark_ram(max(first, 0x100ul), last);
    }
}
