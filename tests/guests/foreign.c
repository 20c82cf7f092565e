/*
 * Another domain's memory, and its end. As Domain 0, creates a PV domain without a vcpu running,
 * gives it memory, builds page tables in it with the foreign forms of the hypercalls, pins them,
 * maps its frames, and destroys it. Proves:
 *
 *   - a foreign frame is mapped only when it is named with its owner, and its tables never
 * writable;
 *   - tables of another domain are checked against that domain's frames, not the caller's;
 *   - a destroyed domain with pinned tables gives everything back: as many pages are free as
 * before, once the last foreign mapping is gone.
 */
#include "control.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define GUEST_PAGES 64u

#define victim SECOND_DOMAIN
static unsigned long frames[GUEST_PAGES];

/* An entry of a table of the other domain: our tables' owner is named in the upper half, + 1. */
static long foreign_update(unsigned long table, unsigned int i, uint64_t val)
{
    struct mmu_update u = {.ptr = ((uint64_t)table << 12) | (i * 8), .val = val};

    return hypercall(__HYPERVISOR_mmu_update, &u, 1, 0, (unsigned int)(victim + 1) << 16 | victim);
}

static long foreign_ext(unsigned int cmd, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = mfn;
    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, 0, victim);
}

static void test_mapping(uint64_t *window)
{
    tap_ok(remap(window, make_pte(frames[0], TABLE_FLAGS)) != 0, "its frame is not ours");
    tap_is(map_foreign(window, make_pte(frames[0], TABLE_FLAGS), victim), 0,
           "but can be mapped as its");
    window[0] = 0x1234;
    tap_ok(map_foreign(window, make_pte(virt_to_mfn((void *)start_info->pt_base), TABLE_FLAGS),
                       victim) != 0,
           "and ours not as its");
    tap_ok(map_foreign(window, make_pte(0x200, TABLE_FLAGS), victim) != 0, "nor the hypervisor's");
    tap_ok(map_foreign(window, make_pte(frames[0], TABLE_FLAGS), 0) != 0,
           "oneself is not a foreign domain");
    tap_ok(map_foreign(window, make_pte(frames[0], TABLE_FLAGS), 1234) != 0,
           "nor is one that is not there");
}

/* frames[1..4]: levels 1..4 of its tables; frames[5] is data. */
static void test_tables(uint64_t *window)
{
    long rc = 0;

    for (unsigned int i = 1; i <= 5; i++) {
        if (foreign_ext(MMUEXT_CLEAR_PAGE, frames[i]) != 0) {
            tap_bail_out("a page of the domain cannot be cleared");
        }
    }
    rc |= foreign_update(frames[1], 9, make_pte(frames[5], TABLE_FLAGS));
    rc |= foreign_update(frames[2], 9, make_pte(frames[1], TABLE_FLAGS));
    rc |= foreign_update(frames[3], 9, make_pte(frames[2], TABLE_FLAGS));
    rc |= foreign_update(frames[4], 9, make_pte(frames[3], TABLE_FLAGS));
    tap_is(rc, 0, "entries are written into pages that are no tables yet");
    tap_is(foreign_ext(MMUEXT_PIN_L4_TABLE, frames[4]), 0, "and the tables are pinned");
    for (unsigned int i = 1; i <= 4; i++) {
        tap_ok(map_foreign(window, make_pte(frames[i], TABLE_FLAGS), victim) != 0,
               "its level %u can't be mapped writable here", i);
    }
    tap_is(map_foreign(window, make_pte(frames[1], TABLE_FLAGS & ~PTE_RW), victim), 0,
           "but read-only");
    tap_ok(PTE_MFN(window[9]) == frames[5], "and the entry is there");
    tap_ok(foreign_update(frames[1], 10, make_pte(virt_to_mfn(window), TABLE_FLAGS)) != 0,
           "its tables take no frame of ours");
    tap_is(foreign_update(frames[1], 10, make_pte(frames[6], TABLE_FLAGS)), 0,
           "and one of its own");
    tap_ok(foreign_ext(MMUEXT_NEW_BASEPTR, frames[4]) != 0, "its table is not our base");
    tap_ok(foreign_ext(MMUEXT_TLB_FLUSH_LOCAL, 0) != 0, "nor are its flushes ours");
}

/* One domain's life. */
static void life(void)
{
    uint64_t *window = alloc_page(), *keep = alloc_page();
    uint64_t old = *pte_of(window, 1), keep_old = *pte_of(keep, 1);

    create_second_domain(1, frames, GUEST_PAGES, 0);
    test_mapping(window);
    test_tables(window);
    tap_is(map_foreign(keep, make_pte(frames[20], TABLE_FLAGS), victim), 0,
           "one more frame is kept mapped");
    tap_is(remap(window, old), 0, "the window is closed");
    tap_is(destroy_second_domain(), 0, "the domain is destroyed");
    keep[0] = 0x5555;
    tap_ok(keep[0] == 0x5555, "the kept frame is still there");
    tap_is(remap(keep, keep_old), 0, "until it is given up");
}

/* The hypervisor's own allocator may keep a page or two from the first life for the next. */
void test_main(void)
{
    unsigned long before;

    life();
    (void)pages_lost(~0ul);
    before = free_pages();
    life();
    tap_is(pages_lost(before), 0, "every page has come back");
}
