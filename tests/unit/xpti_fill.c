/*
 * The page table that an isolated guest runs on (x86/pv/xpti_fill.h), entry by entry: all of the
 * guest's own entries, of the hypervisor's sixteen slots only the machine-to-physical table, the
 * descriptor windows and the minimal map, and no way around by a linear entry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../hypervisor/x86/pv/xpti_fill.h"

#define MINIMAL (0x7654000ul | PTE_P | PTE_RW | PTE_A | PTE_D)

static pte_t l4[PTES_PER_TABLE], root[PTES_PER_TABLE];

static void fill(unsigned int seed)
{
    srand(seed);
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        l4[i] = ((uint64_t)rand() << 33) ^ ((uint64_t)rand() << 12) ^ (uint64_t)rand();
        root[i] = ~l4[i]; /* what an earlier guest left */
    }
    xpti_fill_root(root, l4, MINIMAL);
}

static void test_guests_entries(void **state)
{
    for (unsigned int seed = 1; seed < 20; seed++) {
        unsigned int own = 0;

        fill(seed);
        for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
            if (i < 256 || i > 271) {
                assert_int_equal(root[i], l4[i]);
                own++;
            }
        }
        assert_int_equal(own, 496);
    }
}

static void test_hypervisors_slots(void **state)
{
    for (unsigned int seed = 1; seed < 20; seed++) {
        fill(seed);
        for (unsigned int i = 256; i <= 271; i++) {
            pte_t expected = 0;

            if (i == 256 ||
                i == 258) { /* arch/layout.h: what the ABI shows, and the domain's own */
                expected = l4[i];
            } else if (i == 261) {
                expected = MINIMAL;
            }
            assert_int_equal(root[i], expected);
        }
    }
    /* Frame table, vmap with the stacks, direct map, image: by address. */
    assert_int_equal(root[PT_INDEX(FRAMETABLE_START, 4)], 0);
    assert_int_equal(root[PT_INDEX(VMAP_START, 4)], 0);
    assert_int_equal(root[PT_INDEX(RW_M2P_START, 4)], 0);
    for (unsigned long va = DIRECTMAP_START; va < DIRECTMAP_END; va += LEVEL_SIZE(4)) {
        assert_int_equal(root[PT_INDEX(va, 4)], 0);
    }
    assert_int_equal(root[PT_INDEX(XEN_VIRT_START, 4)], MINIMAL);
    assert_int_equal(PT_INDEX(XPTI_AREAS, 4), PT_INDEX(XEN_VIRT_START, 4));
}

static void test_linear(void **state)
{
    const mfn_t table = {0x1234}, other = {0x1235}, own = {0x777};

    fill(1);
    /* To itself, read-only: the guest reads its entries, and the hypervisor's are not among them.
     */
    root[300] = pte_make(table, PTE_P | PTE_US | PTE_A | PTE_NX);
    xpti_replace_linear(root, 300, table, own);
    assert_int_equal(root[300], pte_make(own, PTE_P | PTE_US | PTE_A | PTE_NX));
    /* To another top-level table: that one has the hypervisor in it. */
    root[301] = pte_make(other, PTE_P | PTE_US);
    xpti_replace_linear(root, 301, table, own);
    assert_int_equal(root[301], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guests_entries),
        cmocka_unit_test(test_hypervisors_slots),
        cmocka_unit_test(test_linear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
