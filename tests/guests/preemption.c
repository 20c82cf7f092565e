/*
 * Long work on page tables is interrupted and goes on. A tree of tables with 64 full level-1 tables
 * is pinned and unpinned under a one-millisecond timer, by one vcpu and then by two at different
 * levels of the same tree, so that each finds what the other left half done. Proves that the guest
 * sees none of it: every pin and unpin succeeds, tables are tables in between, and all references
 * come back. A tree that is no good is refused, and then nothing of it is held any more, also when
 * undoing its validation was interrupted: its top is an ordinary frame at once.
 */
#include "guest.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define L1_TABLES   64u
#define ROUNDS      12u

static uint64_t *l4, *l3, *l2, *l1[L1_TABLES];
static volatile unsigned int stop, other_rounds, other_failed;

static long pin(const void *t, unsigned int level)
{
    return mmuext1(MMUEXT_PIN_L1_TABLE + level - 1, virt_to_mfn(t), 0);
}

static long unpin(const void *t)
{
    return mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(t), 0);
}

static void make_tree(void)
{
    uint64_t data = make_pte(virt_to_mfn(alloc_page()), TABLE_FLAGS);
    long rc = 0;

    l4 = alloc_page();
    l3 = alloc_page();
    l2 = alloc_page();
    for (unsigned int i = 0; i < L1_TABLES; i++) {
        l1[i] = alloc_page();
        for (unsigned int j = 0; j < 512; j++) {
            l1[i][j] = data;
        }
        l2[i * 8] = make_pte(virt_to_mfn(l1[i]), TABLE_FLAGS);
        rc |= set_readonly(l1[i], true);
    }
    l3[100] = l3[200] = make_pte(virt_to_mfn(l2), TABLE_FLAGS);
    l4[50] = l4[400] = make_pte(virt_to_mfn(l3), TABLE_FLAGS);
    rc |= set_readonly(l2, true) | set_readonly(l3, true) | set_readonly(l4, true);
    if (rc != 0) {
        tap_bail_out("the tree cannot be made read-only");
    }
}

/* Interrupts that nobody wants: the hypervisor has work of its own every millisecond. */
static void timer_storm(unsigned int vcpu, bool on)
{
    struct vcpu_set_periodic_timer t = {.period_ns = 1000000};

    hypercall(__HYPERVISOR_vcpu_op, on ? VCPUOP_set_periodic_timer : VCPUOP_stop_periodic_timer,
              vcpu, on ? &t : NULL);
}

static void test_alone(void)
{
    unsigned int failed = 0;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        failed += pin(l4, 4) != 0;
        failed += set_readonly(l1[i], false) == 0;
        failed += set_readonly(l2, false) == 0;
        failed += unpin(l4) != 0;
        failed += set_readonly(l1[i], false) != 0;
        failed += set_readonly(l1[i], true) != 0;
    }
    tap_is(failed, 0, "a large tree is pinned and unpinned under a timer");
}

/* Is the frame nothing special? Asked by a copy of no bytes, not by an operation on page tables. */
static bool is_ordinary(const void *p)
{
    struct gnttab_copy c = {.len = 0};

    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.u.gmfn = c.dest.u.gmfn = virt_to_mfn(p);
    return hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, 1) == 0 &&
           c.status == GNTST_okay;
}

static void test_refused(void)
{
    unsigned int failed = 0, held = 0;

    failed += set_readonly(l4, false) != 0;
    l4[511] = make_pte(0xffffff, TABLE_FLAGS); /* there is no such frame */
    failed += set_readonly(l4, true) != 0;
    for (unsigned int i = 0; i < 10 * ROUNDS; i++) {
        failed += pin(l4, 4) == 0;
        held += !is_ordinary(l4);
    }
    tap_is(failed, 0, "a tree with a bad entry is refused");
    tap_is(held, 0, "and is not held any more");
    (void)mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0, 0); /* what is held in spite of that is given back */
    if (set_readonly(l4, false) != 0) {
        tap_bail_out("the tree cannot be made good");
    }
    l4[511] = 0;
    (void)set_readonly(l4, true);
}

static void other_vcpu(void)
{
    while (!stop) {
        other_failed += pin(l3, 3) != 0;
        other_failed += unpin(l3) != 0;
        other_rounds++;
    }
    other_rounds |= 0x80000000u;
}

static void test_together(void)
{
    unsigned int failed = 0;

    if (start_vcpu(1, other_vcpu) != 0) {
        tap_skip("one vcpu only", "two vcpus at two levels");
        return;
    }
    while (other_rounds == 0) {
        pause_cpu();
    }
    for (unsigned int i = 0; i < ROUNDS; i++) {
        failed += pin(l4, 4) != 0;
        failed += set_readonly(l1[i], false) == 0;
        failed += unpin(l4) != 0;
    }
    stop = 1;
    while (!(other_rounds & 0x80000000u)) {
        pause_cpu();
    }
    tap_is(failed, 0, "the same while another vcpu pins its level 3");
    tap_is(other_failed, 0, "which never fails either");
}

void test_main(void)
{
    bool free = true;

    make_tree();
    timer_storm(0, true);
    test_alone();
    test_refused();
    test_together();
    timer_storm(0, false);
    for (unsigned int i = 0; i < L1_TABLES; i++) {
        free &= set_readonly(l1[i], false) == 0;
    }
    free &= set_readonly(l2, false) == 0 && set_readonly(l3, false) == 0 &&
            set_readonly(l4, false) == 0;
    tap_ok(free, "every table is data again");
}
