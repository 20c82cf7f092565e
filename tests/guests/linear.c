/*
 * Linear page tables: an entry that refers, read-only, to a table of its own level, so that a
 * kernel can read its tables as an array (NetBSD's does). Proves, the same on Hospes and on Xen
 * 4.17:
 *
 *   - a table of level 2 to 4 may refer to itself, and the running level 4 to itself, and shows the
 *     tables there, but is never writable that way;
 *   - a table may refer to another one of its level that is a table already; that one is a table
 *     for as long; no chain of such references is longer than one, in whatever order it is tried;
 *   - other levels' tables, writable references and data are refused;
 *   - what the hypervisor has in its own slots does not show, neither to the guest nor in what it
 *     has the hypervisor read for it (option xen: not asked of Xen);
 *   - in the end every table is data again.
 */
#include "guest.h"

#define RO     (PTE_P | PTE_US | PTE_A)
#define RW     (RO | PTE_RW | PTE_D)
#define SLOT   300ul
#define EFAULT 14
#define EINVAL 22

#define NTABLES 6u
static uint64_t *t[NTABLES];

static long pin(const void *table, unsigned int level)
{
    return mmuext1(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(table), 0);
}

static long unpin(const void *table)
{
    return mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(table), 0);
}

static long set(const uint64_t *table, unsigned int i, uint64_t e)
{
    return mmu_update1(virt_to_maddr(&table[i]), e);
}

static uint64_t entry(const void *table, uint64_t flags)
{
    return make_pte(virt_to_mfn(table), flags);
}

/* Every table is an empty data page without a writable mapping. */
static bool clean(void)
{
    bool ok = true;

    for (unsigned int i = 0; i < NTABLES; i++) {
        ok &= set_readonly(t[i], false) == 0;
        memset(t[i], 0, PAGE_SIZE);
        ok &= set_readonly(t[i], true) == 0;
    }
    return ok;
}

static void test_self(unsigned int level)
{
    tap_is(set(t[0], 5, entry(t[0], RO)), 0, "level %u: an entry is prepared", level);
    tap_is(pin(t[0], level), 0, "level %u: a table may refer to itself", level);
    tap_is(set(t[0], 6, entry(t[0], RO)), 0, "level %u: twice", level);
    tap_ok(set(t[0], 7, entry(t[0], RW)) != 0, "level %u: but not writable", level);
    tap_ok(set(t[0], 5, entry(t[0], RW)) != 0, "level %u: nor become so", level);
    tap_is(unpin(t[0]), 0, "level %u: unpinned", level);
    tap_ok(clean(), "level %u: it is data again", level);
}

static void test_other(unsigned int level)
{
    tap_is(pin(t[0], level), 0, "level %u: a table", level);
    tap_is(set(t[1], 5, entry(t[0], RO)), 0, "level %u: an entry for it", level);
    tap_is(pin(t[1], level), 0, "level %u: another one may refer to it", level);
    tap_is(pin(t[2], level), 0, "level %u: a third table", level);
    tap_is(set(t[2], 9, entry(t[0], RO)), 0, "level %u: may, too", level);
    tap_ok(set(t[2], 9, entry(t[0], RW)) != 0, "level %u: not writable", level);
    tap_ok(set(t[0], 5, entry(t[2], RO)) != 0, "level %u: it refers not back", level);
    tap_is(pin(t[3], level), 0, "level %u: a fourth table", level);
    tap_ok(set(t[0], 5, entry(t[3], RO)) != 0, "level %u: nor on to a fourth", level);
    tap_ok(set(t[3], 5, entry(t[1], RO)) != 0, "level %u: who refers is not referred to", level);
    tap_is(unpin(t[0]), 0, "level %u: the first is unpinned", level);
    tap_ok(set_readonly(t[0], false) != 0, "level %u: and yet a table", level);
    tap_is(unpin(t[1]), 0, "level %u: also when one of two has gone", level);
    tap_ok(set_readonly(t[0], false) != 0, "level %u: it is a table", level);
    tap_is(set(t[2], 9, 0), 0, "level %u: the last entry goes", level);
    tap_is(set_readonly(t[0], false), 0, "level %u: and it is data", level);
    tap_is(set(t[3], 6, entry(t[2], RO)), 0, "level %u: who no longer refers can be referred to",
           level);
    tap_is(unpin(t[2]), 0, "level %u: unpinned while in use", level);
    tap_is(unpin(t[3]), 0, "level %u: with its user", level);
    tap_ok(clean(), "level %u: all are data again", level);
}

static void test_levels(void)
{
    tap_ok(pin(t[0], 4) == 0 && pin(t[1], 3) == 0 && pin(t[2], 2) == 0, "tables of three levels");
    tap_ok(set(t[1], 1, entry(t[0], RO)) != 0, "a level 4 in a level 3");
    tap_ok(set(t[2], 1, entry(t[0], RO)) != 0, "a level 4 in a level 2");
    tap_ok(set(t[2], 1, entry(t[1], RO)) != 0, "a level 3 in a level 2");
    tap_ok(set(t[0], 1, entry(t[2], RO)) != 0, "a level 2 in a level 4");
    tap_ok(set(t[0], 1, make_pte(0x200, RO)) != 0, "the hypervisor's frame");
    tap_ok(unpin(t[0]) == 0 && unpin(t[1]) == 0 && unpin(t[2]) == 0 && clean(), "all data again");
}

static uint64_t *linear(unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return (uint64_t *)(0xffff000000000000ul | a << 39 | b << 30 | c << 21 | d << 12);
}

/* Where the guest runs on a copy of its table (option isolated), the entry shows the copy: the same
 * entries, and of the hypervisor's only what the copy has. */
static bool shows_copy(const uint64_t *l4, uint64_t v)
{
    const uint64_t *copy = linear(SLOT, SLOT, SLOT, SLOT);
    bool ok = PTE_MFN(v) != virt_to_mfn(l4) && (v & (PTE_P | PTE_RW | PTE_US)) == (PTE_P | PTE_US);

    for (unsigned int i = 0; i < 512; i++) {
        ok &= !probe_read(&copy[i], &v).happened;
        if (i < 256 || i > 271) {
            ok &= i == SLOT || ((v ^ l4[i]) & ~(PTE_A | PTE_D)) == 0;
        } else if (i != 256 && i != 258 && i != 261) {
            ok &= v == 0;
        }
    }
    return ok;
}

static void test_running(void)
{
    uint64_t *l4 = (uint64_t *)start_info->pt_base, v = 0;
    unsigned long va = (unsigned long)t[0];
    uint64_t *p = linear(SLOT, va >> 39 & 511, va >> 30 & 511, va >> 21 & 511) + (va >> 12 & 511);
    struct fault f;

    tap_is(set(l4, SLOT, entry(l4, RO)), 0, "the running level 4 refers to itself");
    tap_ok(!probe_read(&linear(SLOT, SLOT, SLOT, SLOT)[SLOT], &v).happened &&
               (guest_option("isolated") ? shows_copy(l4, v) : PTE_MFN(v) == virt_to_mfn(l4)),
           "it is there");
    tap_ok(!probe_read(p, &v).happened && PTE_MFN(v) == virt_to_mfn(t[0]),
           "and so is the entry of a page");
    f = probe_write(p, make_pte(virt_to_mfn(t[0]), RW));
    tap_ok(f.happened && f.vector == 14, "which is not writable");
    tap_ok(hypercall(__HYPERVISOR_update_va_mapping, p, 0, 0) != 0, "nor by update_va_mapping");
    for (unsigned long slot = 258; slot < 272; slot++) {
        f = probe_read(linear(SLOT, slot, 0, 0), &v);
        if (!f.happened) {
            tap_ok(false, "slot %lu of the hypervisor's is readable", slot);
        }
    }
    tap_ok(true, "the hypervisor's slots are not");
    if (!guest_option("xen")) {
        tap_is(
            hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 8, linear(SLOT, SLOT, SLOT, 262)),
            -EFAULT, "a hypercall reads no argument there");
        tap_is(hypercall(__HYPERVISOR_mmu_update, linear(SLOT, 262, 0, 0), 1, 0, DOMID_SELF),
               -EFAULT, "nor behind the hypervisor's slots");
    }
    tap_is(set(l4, SLOT, 0), 0, "the entry goes");
    mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    tap_ok(probe_read(p, &v).happened, "and the array");
}

/* A tree that another one of its level refers to is taken down under a timer, from both ends. */
static void test_preempted(void)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = 1000000};
    uint64_t data = make_pte(virt_to_mfn(alloc_page()), RW);
    bool ok = true;

    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, &timer);
    for (unsigned int round = 0; round < 40; round++) {
        for (unsigned int i = 0; i < 512; i++) {
            ok &= set(t[0], i, data) == 0;
        }
        for (unsigned int i = 0; i < 256; i++) {
            ok &= set(t[1], i, entry(t[0], RW)) == 0;
            ok &= set(t[2], i * 2 % 512, entry(t[1], RO)) == 0;
        }
        ok &= pin(t[1], 2) == 0 && pin(t[2], 2) == 0;
        if (round % 2) {
            ok &= unpin(t[1]) == 0 && set_readonly(t[0], false) != 0 && unpin(t[2]) == 0;
        } else {
            ok &= unpin(t[2]) == 0 && set_readonly(t[0], false) != 0 && unpin(t[1]) == 0;
        }
        ok &= clean();
    }
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0);
    tap_ok(ok, "many references at once, under a timer");
}

void test_main(void)
{
    for (unsigned int i = 0; i < NTABLES; i++) {
        t[i] = alloc_page();
    }
    if (!clean()) {
        tap_bail_out("no pages");
    }
    for (unsigned int level = 2; level <= 4; level++) {
        test_self(level);
        test_other(level);
    }
    test_levels();
    test_running();
    test_preempted();
    tap_ok(clean(), "every table is data");
}
