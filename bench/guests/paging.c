/*
 * What paging costs a PV kernel: the time stamp counter for one operation, as bench/run wants it
 * ("bench NAME TICKS"). Every operation is repeated and warmed up; all run on one vcpu.
 */
#include "guest.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define REPEAT      500u
#define BATCH       32u

static uint64_t *page, *other, *l1, *chain[5];
static uint64_t entry, entry_ro;

static uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

/* fn does `per_call` operations. */
static void measure(const char *name, void (*fn)(void), unsigned int repeat, unsigned int per_call)
{
    uint64_t t;

    for (unsigned int i = 0; i < repeat / 10 + 2; i++) {
        fn();
    }
    t = rdtsc();
    for (unsigned int i = 0; i < repeat; i++) {
        fn();
    }
    t = rdtsc() - t;
    print("bench %s %lu\n", name, (unsigned long)(t / repeat / per_call));
}

static void null_hypercall(void)
{
    hypercall(__HYPERVISOR_xen_version, 0);
}

/* Write access away and back: each changes references. */
static void va_mapping(void)
{
    hypercall(__HYPERVISOR_update_va_mapping, page, entry_ro, UVMF_NONE);
    hypercall(__HYPERVISOR_update_va_mapping, page, entry, UVMF_NONE);
}

static void va_mapping_invlpg(void)
{
    hypercall(__HYPERVISOR_update_va_mapping, page, entry_ro, UVMF_INVLPG | UVMF_LOCAL);
    hypercall(__HYPERVISOR_update_va_mapping, page, entry, UVMF_INVLPG | UVMF_LOCAL);
}

static void mmu_single(void)
{
    mmu_update1(virt_to_maddr(&l1[5]), entry);
    mmu_update1(virt_to_maddr(&l1[5]), 0);
}

static void mmu_batch(void)
{
    static struct mmu_update u[BATCH];

    for (unsigned int i = 0; i < BATCH; i++) {
        u[i].ptr = virt_to_maddr(&l1[5]);
        u[i].val = i & 1 ? 0 : entry;
    }
    hypercall(__HYPERVISOR_mmu_update, u, BATCH, 0, DOMID_SELF);
}

static void emulated_write(void)
{
    *(volatile uint64_t *)&l1[7] = entry;
    *(volatile uint64_t *)&l1[7] = 0;
}

static void bounced_fault(void)
{
    probe_read((void *)0x123456789000, NULL);
}

static void pin_table(void *table, unsigned int level)
{
    if (mmuext1(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(table), 0) != 0 ||
        mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(table), 0) != 0) {
        tap_bail_out("level %u does not pin", level);
    }
}

static void pin_empty(void)
{
    pin_table(other, 1);
}

static void pin_full(void)
{
    pin_table(chain[1], 1);
}

static void pin_chain(void)
{
    pin_table(chain[4], 4);
}

static void flush_local(void)
{
    mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
}

static void new_baseptr(void)
{
    mmuext1(MMUEXT_NEW_BASEPTR, virt_to_mfn((void *)start_info->pt_base), 0);
}

static void build_chain(void)
{
    for (unsigned int level = 1; level <= 4; level++) {
        chain[level] = alloc_page();
        for (unsigned int i = 0; i < (level == 1 ? 512 : 1); i++) {
            chain[level][i] =
                level == 1 ? entry : make_pte(virt_to_mfn(chain[level - 1]), TABLE_FLAGS);
        }
        if (set_readonly(chain[level], true) != 0) {
            tap_bail_out("a page cannot be made read-only");
        }
    }
}

void test_main(void)
{
    page = alloc_page();
    other = alloc_page();
    l1 = alloc_page();
    entry = make_pte(virt_to_mfn(page), TABLE_FLAGS);
    entry_ro = entry & ~PTE_RW;
    if (set_readonly(other, true) != 0 || set_readonly(l1, true) != 0 ||
        mmuext1(MMUEXT_PIN_L1_TABLE, virt_to_mfn(l1), 0) != 0) {
        tap_bail_out("no tables to measure");
    }
    build_chain();
    measure("null_hypercall", null_hypercall, REPEAT, 1);
    measure("update_va_mapping", va_mapping, REPEAT, 2);
    measure("update_va_mapping_invlpg", va_mapping_invlpg, REPEAT, 2);
    measure("mmu_update_single", mmu_single, REPEAT, 2);
    measure("mmu_update_batched", mmu_batch, REPEAT / 5, BATCH);
    measure("emulated_write", emulated_write, REPEAT, 2);
    measure("bounced_page_fault", bounced_fault, REPEAT, 1);
    measure("pin_unpin_empty_l1", pin_empty, REPEAT / 5, 1);
    measure("pin_unpin_full_l1", pin_full, REPEAT / 10, 1);
    measure("pin_unpin_four_levels", pin_chain, REPEAT / 10, 1);
    measure("tlb_flush_local", flush_local, REPEAT, 1);
    measure("new_baseptr_same", new_baseptr, REPEAT, 1);
}
