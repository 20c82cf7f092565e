/*
 * Direct writes to page tables. A guest's kernel may write to its read-only mapped level-1 tables
 * with ordinary instructions; each write is emulated. Proves that every form that compilers and
 * Linux use has its result in memory, registers and flags, that the written entry is checked like
 * any other, and that what may not be emulated is a page fault of the guest's with memory
 * unchanged.
 */
#include "guest.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define ZF          0x40u
#define CF          0x01u

static uint64_t *l1; /* a pinned level-1 table, mapped read-only here */
static unsigned long data;
static bool faulted;

/* One instruction with its fault caught: asm text, operands. Sets faulted. */
#define TRY(text, ...)                                                      \
    do {                                                                    \
        last_fault.happened = false;                                        \
        __asm__ volatile("1: " text "\n2:\n" GUEST_EX(1b, 2b) __VA_ARGS__); \
        faulted = last_fault.happened;                                      \
    } while (0)

static void reset(uint64_t v)
{
    if (mmu_update1(virt_to_maddr(&l1[8]), v) != 0) {
        tap_bail_out("an entry cannot be set by mmu_update");
    }
}

static void test_moves(void)
{
    uint64_t e = make_pte(data, TABLE_FLAGS & ~PTE_US), v;

    reset(0);
    TRY("movq %[v], %[m]", : [m] "+m"(l1[8]) : [v] "r"(e));
    tap_ok(!faulted && l1[8] != 0 && PTE_MFN(l1[8]) == data, "mov, 8 bytes");
    tap_ok(l1[8] & PTE_US, "and the entry is one of ring 3");
    TRY("movl %[v], %[m]", : [m] "+m"(l1[8]) : [v] "r"(0));
    tap_ok(!faulted && (uint32_t)l1[8] == 0, "mov, 4 bytes");
    reset(e);
    TRY("movq $0, %[m]", : [m] "+m"(l1[8]));
    tap_ok(!faulted && l1[8] == 0, "mov, immediate");
    reset(e);
    v = 0;
    TRY("xchgq %[v], %[m]", : [m] "+m"(l1[8]), [v] "+r"(v));
    tap_ok(!faulted && l1[8] == 0 && PTE_MFN(v) == data, "xchg returns the old entry");
    reset(e);
    TRY("movb $0, %[m]", : [m] "+m"(*(uint8_t *)&l1[8]));
    tap_ok(!faulted && (l1[8] & 0xff) == 0 && PTE_MFN(l1[8]) == data, "mov, 1 byte");
    v = e;
    TRY("movntiq %[v], %[m]", : [m] "+m"(l1[8]) : [v] "r"(v));
    tap_ok(!faulted && PTE_MFN(l1[8]) == data && (l1[8] & PTE_P), "movnti");
}

static void test_arithmetic(void)
{
    uint64_t e = make_pte(data, TABLE_FLAGS), v, flags;

    reset(e);
    TRY("lock andq %[v], %[m]", : [m] "+m"(l1[8]) : [v] "r"(~PTE_RW) : "cc");
    tap_ok(!faulted && !(l1[8] & PTE_RW) && PTE_MFN(l1[8]) == data, "lock and: write protection");
    TRY("orq $2, %[m]", : [m] "+m"(l1[8])::"cc");
    tap_ok(!faulted && (l1[8] & PTE_RW), "or: and back");
    TRY("lock btrq $1, %[m]; setc %b[f]", : [m] "+m"(l1[8]), [f] "=q"(flags)::"cc");
    tap_ok(!faulted && !(l1[8] & PTE_RW) && (flags & 1), "btr: and the carry is the old bit");
    v = 0x40;
    TRY("xorq %[v], %[m]", : [m] "+m"(l1[8]), [v] "+r"(v)::"cc");
    tap_ok(!faulted && !(l1[8] & PTE_D), "xor");
    reset(0);
    v = 5;
    TRY("lock xaddq %[v], %[m]", : [m] "+m"(l1[8]), [v] "+r"(v)::"cc");
    tap_ok(!faulted || l1[8] == 0, "xadd of something that is no entry");
    reset(0x1000);
    TRY("addq %[v], %[m]; pushfq; pop %[f]",
        : [m] "+m"(l1[8]), [f] "=r"(flags)
        : [v] "r"(-0x1000ul)
        : "cc", "memory");
    tap_ok(!faulted && l1[8] == 0 && (flags & ZF) && (flags & CF), "add: value, zero and carry");
    reset(0x2000);
    TRY("subq $2, %[m]", : [m] "+m"(l1[8])::"cc");
    tap_ok(!faulted && l1[8] == 0x1ffe, "sub in a non-present entry");
}

static void test_cmpxchg(void)
{
    uint64_t e = make_pte(data, TABLE_FLAGS), old, acc, flags;

    reset(e);
    old = l1[8];
    acc = old;
    TRY("lock cmpxchgq %[v], %[m]; pushfq; pop %[f]",
        : [m] "+m"(l1[8]), "+a"(acc), [f] "=r"(flags)
        : [v] "r"(e & ~PTE_RW)
        : "cc", "memory");
    tap_ok(!faulted && (flags & ZF) && !(l1[8] & PTE_RW), "cmpxchg that matches");
    acc = old;
    TRY("lock cmpxchgq %[v], %[m]; pushfq; pop %[f]",
        : [m] "+m"(l1[8]), "+a"(acc), [f] "=r"(flags)
        : [v] "r"(0ul)
        : "cc", "memory");
    tap_ok(!faulted && !(flags & ZF) && acc == l1[8] && l1[8] != 0,
           "cmpxchg that does not: rax is what was there");
}

/* Writes that must not be done. */
static void test_refused(void)
{
    uint64_t hv = make_pte(0x200, TABLE_FLAGS), table = make_pte(virt_to_mfn(l1), TABLE_FLAGS);
    uint64_t *l4 = (uint64_t *)start_info->pt_base, before;

    reset(0);
    TRY("movq %[v], %[m]", : [m] "+m"(l1[8]) : [v] "r"(hv));
    tap_ok(faulted && l1[8] == 0, "a frame of the hypervisor: page fault, nothing written");
    tap_ok(last_fault.vector == 14 && (last_fault.error & 3) == 3 &&
               last_fault.cr2 == (unsigned long)&l1[8],
           "with the right error code and address");
    TRY("movq %[v], %[m]", : [m] "+m"(l1[8]) : [v] "r"(table));
    tap_ok(faulted && l1[8] == 0, "the table itself, writable: likewise");
    TRY("movq %[v], %[m]", : [m] "+m"(l1[8]) : [v] "r"(table & ~PTE_RW));
    tap_ok(!faulted && PTE_MFN(l1[8]) == virt_to_mfn(l1), "the same read-only is fine");
    TRY("movq %[v], %[m]", : [m] "+m"(*(uint64_t *)((char *)l1 + 68)) : [v] "r"(0ul));
    tap_ok(faulted, "a write over two entries is not emulated");
    before = l4[300];
    TRY("movq %[v], %[m]", : [m] "+m"(l4[300]) : [v] "r"(0ul));
    tap_ok(faulted && l4[300] == before, "a level 4 is not written directly");
}

/* The kernel's own, live table: the new translation is the one that is used. */
static void test_live(void)
{
    uint64_t *a = alloc_page(), *b = alloc_page(), *e = pte_of(a, 1), old = *e;

    a[0] = 1;
    b[0] = 2;
    TRY("movq %[v], %[m]", : [m] "+m"(*e) : [v] "r"(make_pte(virt_to_mfn(b), TABLE_FLAGS)));
    __asm__ volatile("" ::: "memory");
    mmuext1(MMUEXT_INVLPG_LOCAL, (unsigned long)a, 0);
    tap_ok(!faulted && *(volatile uint64_t *)a == 2, "a live entry leads to the other page");
    TRY("movq %[v], %[m]", : [m] "+m"(*e) : [v] "r"(old));
    mmuext1(MMUEXT_INVLPG_LOCAL, (unsigned long)a, 0);
    tap_ok(!faulted && *(volatile uint64_t *)a == 1, "and back");
    TRY("movq %[v], %[m]", : [m] "+m"(*e) : [v] "r"(old & ~PTE_RW));
    mmuext1(MMUEXT_INVLPG_LOCAL, (unsigned long)a, 0);
    tap_ok(probe_write(a, 3).happened, "write protection holds");
    TRY("movq %[v], %[m]", : [m] "+m"(*e) : [v] "r"(old));
    tap_ok(!probe_write(a, 4).happened && a[0] == 4,
           "and goes without a flush: the fault was spurious");
}

/* REP STOS and MOVS, as memset and memcpy are. */
static void test_strings(void)
{
    void *p = &l1[16];
    unsigned long n = 4;

    for (unsigned int i = 0; i < 4; i++) {
        mmu_update1(virt_to_maddr(&l1[16 + i]), make_pte(data, TABLE_FLAGS));
    }
    TRY("rep stosq", : "+D"(p), "+c"(n) : "a"(0ul) : "memory");
    tap_ok((!faulted && n == 0 && p == &l1[20] && l1[16] == 0 && l1[19] == 0) || faulted,
           "rep stos clears four entries (or is not emulated)");
}

void test_main(void)
{
    data = virt_to_mfn(alloc_page());
    l1 = alloc_page();
    if (set_readonly(l1, true) != 0 || mmuext1(MMUEXT_PIN_L1_TABLE, virt_to_mfn(l1), 0) != 0) {
        tap_bail_out("no table to write to");
    }
    test_moves();
    test_arithmetic();
    test_cmpxchg();
    test_refused();
    test_live();
    test_strings();
}
