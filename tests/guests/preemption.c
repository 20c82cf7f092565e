/*
 * Long work on page tables is interrupted and goes on. A tree of tables with 64 full level-1 tables
 * is pinned and unpinned under a one-millisecond timer, by one vcpu and then by two at different
 * levels of the same tree, so that each finds what the other left half done. Proves that the guest
 * sees none of it: every pin and unpin succeeds, tables are tables in between, and all references
 * come back.
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
    test_together();
    timer_storm(0, false);
    for (unsigned int i = 0; i < L1_TABLES; i++) {
        free &= set_readonly(l1[i], false) == 0;
    }
    free &= set_readonly(l2, false) == 0 && set_readonly(l3, false) == 0 &&
            set_readonly(l4, false) == 0;
    tap_ok(free, "every table is data again");
}
