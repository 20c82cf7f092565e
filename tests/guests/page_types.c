/*
 * Frames have types. A guest that tries every way of getting a page table, a descriptor table or a
 * frame that is not its own into its hands must be told no, and the tables it already has must go
 * on working. Proves, from inside a PV kernel:
 *
 *   - a page table of any level can't be mapped writable, by any of the three update calls, nor can
 * a frame that is mapped writable become one;
 *   - tables of the wrong level, writable recursive tables (linear.c has the others), superpages,
 * reserved bits, frames of the hypervisor and frames that do not exist are refused, in new tables
 * and in live ones;
 *   - entries of the hypervisor's part of a top-level table can't be changed;
 *   - a frame that has lost its type can be used as another at once, and only then;
 *   - pins count once.
 */
#include "guest.h"
#include <xen/errno.h>

#define EINVAL 22
#define EBUSY  16
#define EPERM  1

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

/* A page of ours without a writable mapping, cleared: fit for a table. */
static uint64_t *new_table(void)
{
    uint64_t *t = alloc_page();

    if (set_readonly(t, true) != 0) {
        tap_bail_out("a data page cannot be made read-only");
    }
    return t;
}

static long pin(const void *table, unsigned int level)
{
    return mmuext1(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(table), 0);
}

static long unpin(const void *table)
{
    return mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(table), 0);
}

/* Writes an entry of a page that is no table (yet), through a moment's writable mapping. */
static void fill(uint64_t *table, unsigned int i, uint64_t e)
{
    if (set_readonly(table, false) != 0) {
        tap_bail_out("a free page cannot be made writable");
    }
    table[i] = e;
    if (set_readonly(table, true) != 0) {
        tap_bail_out("a free page cannot be made read-only");
    }
}

/* ---- live tables ---- */

static void test_live_tables(void)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));

    for (unsigned int level = 1; level <= 4; level++) {
        unsigned long mfn =
            PTE_MFN(level < 4 ? *pte_of(page, level + 1)
                              : make_pte(virt_to_mfn((void *)start_info->pt_base), 0));
        uint64_t pte = make_pte(mfn, TABLE_FLAGS);

        tap_ok(remap(page, pte) != 0, "level %u: not writable by update_va_mapping", level);
        tap_ok(
            mmu_update1(PTE_MFN(*pte_of(page, 2)) << 12 | (((unsigned long)page >> 12) & 511) * 8,
                        pte) != 0,
            "level %u: not writable by mmu_update", level);
        tap_ok(probe_write(mfn_to_virt(mfn), 0).happened || level == 1,
               "level %u: the boot mapping is read-only", level);
        tap_is(remap(page, pte & ~PTE_RW), 0, "level %u: may be mapped read-only", level);
        tap_is(set_readonly(page, false), 0, "level %u: and unmapped again", level);
    }
}

/* ---- building tables ---- */

static void test_build(void)
{
    uint64_t *data = alloc_page(), *l1 = new_table(), *l2 = new_table(), *l3 = new_table(),
             *l4 = new_table(), *writable = alloc_page();

    tap_is(pin(writable, 1), -EINVAL, "a page mapped writable is no table");
    fill(l1, 3, make_pte(virt_to_mfn(data), TABLE_FLAGS));
    fill(l2, 3, make_pte(virt_to_mfn(l1), TABLE_FLAGS));
    fill(l3, 3, make_pte(virt_to_mfn(l2), TABLE_FLAGS));
    fill(l4, 3, make_pte(virt_to_mfn(l3), TABLE_FLAGS));
    tap_is(pin(l4, 4), 0, "four levels of tables validate");
    tap_ok(set_readonly(l1, false) != 0 && set_readonly(l2, false) != 0 &&
               set_readonly(l3, false) != 0 && set_readonly(l4, false) != 0,
           "and none of them can be mapped writable any more");
    tap_is(pin(l1, 1), 0, "the lowest can be pinned, too");
    tap_is(pin(l1, 1), -EINVAL, "but once only");
    tap_is(pin(l1, 2), -EINVAL, "and not as another level");
    tap_is(pin(l3, 4), -EINVAL, "a level 3 in use is no level 4");
    tap_is(unpin(data), -EINVAL, "what is not pinned is not unpinned");
    tap_is(mmuext1(MMUEXT_CLEAR_PAGE, virt_to_mfn(l2), 0), -EINVAL, "a table can't be cleared");
    tap_is(mmuext1(MMUEXT_COPY_PAGE, virt_to_mfn(l2), virt_to_mfn(data)), -EINVAL,
           "nor copied over");
    tap_is(unpin(l4), 0, "unpinned");
    tap_ok(set_readonly(l2, false) == 0 && set_readonly(l3, false) == 0 &&
               set_readonly(l4, false) == 0,
           "the upper ones are ordinary pages again");
    tap_ok(set_readonly(l1, false) != 0, "the pinned one is not");
    tap_is(unpin(l1), 0, "until it is unpinned");
    tap_is(set_readonly(l1, false), 0, "and then it is");
}

/* ---- entries that no table may have ---- */

struct bad_entry {
    unsigned int level;
    uint64_t entry;
    const char *what;
};

static void try_bad_entry(const struct bad_entry *b)
{
    uint64_t *table = new_table(), *live = new_table();
    unsigned int i = 7;

    fill(table, i, b->entry);
    tap_ok(pin(table, b->level) != 0, "level %u, new table: %s", b->level, b->what);
    if (pin(live, b->level) != 0) {
        tap_bail_out("an empty table does not validate");
    }
    tap_ok(mmu_update1(virt_to_maddr(&live[i]), b->entry) != 0, "level %u, live table: %s",
           b->level, b->what);
    tap_ok(live[i] == 0, "level %u: and nothing was written", b->level);
    unpin(live);
}

static void test_bad_entries(void)
{
    unsigned long data = virt_to_mfn(alloc_page()), hole = (1ul << 51) >> 12;
    uint64_t *l1 = new_table();
    /* The hypervisor's image lies at the start of memory, its heap above: neither is ours. */
    const struct bad_entry bad[] = {
        {1, make_pte(0x200, TABLE_FLAGS), "a frame of the hypervisor's image"},
        {1, make_pte(0x200, TABLE_FLAGS & ~PTE_RW), "the same read-only"},
        {1, make_pte(hole, TABLE_FLAGS), "a frame that cannot exist"},
        {1, make_pte(virt_to_mfn((void *)start_info->pt_base), TABLE_FLAGS),
         "our level 4, writable"},
        {2, make_pte(data, TABLE_FLAGS), "a writable data page as level 1"},
        {2, make_pte(data & ~511ul, TABLE_FLAGS | PTE_PS), "a superpage"},
        {2, make_pte(virt_to_mfn(l1), TABLE_FLAGS | (1 << 8)), "a global table"},
        {2, make_pte(virt_to_mfn((void *)start_info->pt_base), TABLE_FLAGS),
         "our level 4 as level 1"},
        {3, make_pte(data & ~0x3fffful, TABLE_FLAGS | PTE_PS), "a superpage"},
        {3, make_pte(0x200, TABLE_FLAGS), "the hypervisor's frame as level 2"},
        {4, make_pte(0x200, TABLE_FLAGS), "the hypervisor's frame as level 3"},
        {4, make_pte(virt_to_mfn((void *)start_info->pt_base), TABLE_FLAGS),
         "a level 4 as level 3"},
        {4, make_pte(hole, TABLE_FLAGS), "a frame that cannot exist"},
    };

    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        try_bad_entry(&bad[i]);
    }
}

/* ---- tables of themselves ---- */

static void test_recursion(void)
{
    for (unsigned int level = 2; level <= 4; level++) {
        uint64_t *t = new_table();

        fill(t, 5, make_pte(virt_to_mfn(t), TABLE_FLAGS));
        tap_ok(pin(t, level) != 0, "level %u: writable recursion refused", level);
    }
}

/* ---- the hypervisor's slots ---- */

static void test_hypervisor_slots(void)
{
    uint64_t *l3 = new_table(), *l4 = (uint64_t *)start_info->pt_base, v;
    bool all_refused = true;

    for (unsigned int slot = 256; slot < 272; slot++) {
        all_refused &=
            mmu_update1(virt_to_maddr(&l4[slot]), make_pte(virt_to_mfn(l3), TABLE_FLAGS)) != 0;
        all_refused &= mmu_update1(virt_to_maddr(&l4[slot]), 0) != 0;
    }
    tap_ok(all_refused, "no slot of the hypervisor's can be changed");
    tap_is(mmu_update1(virt_to_maddr(&l4[272]), make_pte(virt_to_mfn(l3), TABLE_FLAGS)), 0,
           "the slot behind them can");
    tap_is(mmu_update1(virt_to_maddr(&l4[272]), 0), 0, "and back");
    tap_ok(!probe_read((void *)MACH2PHYS_VIRT_START, &v).happened, "the M2P can be read");
    tap_ok(probe_write((void *)MACH2PHYS_VIRT_START, 0).happened, "but not written");
    for (unsigned int slot = 257; slot < 272; slot++) {
        all_refused &=
            probe_read((void *)(0xffff000000000000ul + ((unsigned long)slot << 39)), &v).happened;
    }
    tap_ok(all_refused, "nothing else of the hypervisor's can be read");
    tap_ok(remap((void *)0xffff830000000000, 0) != 0,
           "update_va_mapping keeps out of its addresses");
}

/* ---- changing types ---- */

static void test_type_changes(void)
{
    uint64_t *t = new_table();
    bool ok = true;

    for (unsigned int round = 0; round < 200; round++) {
        unsigned int level = 1 + (unsigned int)(guest_random() % 4);

        ok &= pin(t, level) == 0;
        ok &= set_readonly(t, false) != 0;
        ok &= unpin(t) == 0;
        ok &= set_readonly(t, false) == 0;
        memset(t, 0, PAGE_SIZE); /* a level 4 was given the hypervisor's entries */
        ok &= pin(t, level) != 0;
        ok &= set_readonly(t, true) == 0;
    }
    tap_ok(ok, "200 changes between table and data, each refused at the wrong time");
}

/* A writable mapping is removed, but the translation stays in the TLB: the frame's next use as a
 * table must see to it. */
static void test_stale_translation(void)
{
    uint64_t *t = alloc_page(), before;
    struct fault f;

    t[9] = 0; /* now the TLB has it, writable */
    if (hypercall(__HYPERVISOR_update_va_mapping, t,
                  make_pte(virt_to_mfn(t), TABLE_FLAGS & ~PTE_RW), UVMF_NONE) != 0 ||
        pin(t, 1) != 0) {
        tap_bail_out("cannot make a table");
    }
    before = t[9];
    f = probe_write(&t[9], make_pte(0x200, TABLE_FLAGS));
    tap_ok(t[9] == before, "a stale writable translation does not write a table (fault: %d)",
           f.happened);
    unpin(t);
}

/* ---- descriptor tables ---- */

static void test_descriptors(void)
{
    uint64_t *gdt = new_table();
    unsigned long frame = virt_to_mfn(gdt);

    fill(gdt, 1, 0x00af9b000000ffffull); /* ring 0, 64-bit code */
    fill(gdt, 2, 0x0000890000000067ull); /* a TSS */
    tap_ok(hypercall(__HYPERVISOR_set_gdt, &frame, 512) != 0, "a GDT with a TSS is refused");
    fill(gdt, 2, 0);
    tap_is(hypercall(__HYPERVISOR_set_gdt, &frame, 512), 0, "one with a ring 0 segment is taken");
    tap_ok((gdt[1] >> 45 & 3) == 3, "but the segment has become ring 3");
    tap_ok(set_readonly(gdt, false) != 0, "a GDT page can't be mapped writable");
    tap_ok(pin(gdt, 1) != 0, "nor be a page table");
    tap_ok(hypercall(__HYPERVISOR_update_descriptor, virt_to_maddr(&gdt[3]),
                     0x00008b0000000067ull) != 0,
           "update_descriptor refuses a TSS");
    tap_is(hypercall(__HYPERVISOR_update_descriptor, virt_to_maddr(&gdt[3]), 0x00cf93000000ffffull),
           0, "and takes data");
    tap_ok((gdt[3] >> 45 & 3) == 3, "of ring 3");
    tap_ok(hypercall(__HYPERVISOR_set_gdt, &frame, 7169) != 0, "a GDT has at most 7168 entries");
    tap_is(hypercall(__HYPERVISOR_set_gdt, 0, 0), 0, "no GDT at all");
    tap_is(set_readonly(gdt, false), 0, "the page is data again");
}

void test_main(void)
{
    test_live_tables();
    test_build();
    test_bad_entries();
    test_recursion();
    test_hypervisor_slots();
    test_type_changes();
    test_stale_translation();
    test_descriptors();
}
