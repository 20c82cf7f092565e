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
#include "guest.h"
#include <xen/domctl.h>
#include <xen/sysctl.h>

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define GUEST_PAGES 64u

static domid_t victim;
static unsigned long frames[GUEST_PAGES];

static long domctl(struct xen_domctl *op, unsigned int cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_domctl, op);
}

/* Pages free, when background cleaning has come to rest. */
static unsigned long free_pages(void)
{
    struct xen_sysctl s;

    memset(&s, 0, sizeof(s));
    s.cmd = XEN_SYSCTL_physinfo;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    if (hypercall(__HYPERVISOR_sysctl, &s) != 0) {
        tap_bail_out("physinfo does not work");
    }
    return s.u.physinfo.free_pages;
}

static void create(void)
{
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = 7;
    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 16;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
    tap_is(domctl(&op, XEN_DOMCTL_createdomain), 0, "a domain is created");
    victim = 7;
    memset(&op, 0, sizeof(op));
    op.domain = victim;
    op.u.max_mem.max_memkb = GUEST_PAGES * 4;
    tap_is(domctl(&op, XEN_DOMCTL_max_mem), 0, "its limit is set");
    memset(&op, 0, sizeof(op));
    op.domain = victim;
    op.u.max_vcpus.max = 1;
    tap_is(domctl(&op, XEN_DOMCTL_max_vcpus), 0, "it has a vcpu");
}

static void populate(void)
{
    struct xen_memory_reservation r;

    memset(&r, 0, sizeof(r));
    for (unsigned int i = 0; i < GUEST_PAGES; i++) {
        frames[i] = i;
    }
    r.nr_extents = GUEST_PAGES;
    r.domid = victim;
    r.extent_start.p = frames;
    tap_is(hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r), GUEST_PAGES,
           "%u pages are its own", GUEST_PAGES);
}

/* Changes the entry of our page va to a frame of `owner`. */
static long map_foreign(const void *va, unsigned long mfn, uint64_t flags, domid_t owner)
{
    long rc = hypercall(__HYPERVISOR_update_va_mapping_otherdomain, va, make_pte(mfn, flags),
                        UVMF_INVLPG | UVMF_LOCAL, owner);

    return rc;
}

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
    tap_is(map_foreign(window, frames[0], TABLE_FLAGS, victim), 0, "but can be mapped as its");
    window[0] = 0x1234;
    tap_ok(map_foreign(window, virt_to_mfn((void *)start_info->pt_base), TABLE_FLAGS, victim) != 0,
           "and ours not as its");
    tap_ok(map_foreign(window, 0x200, TABLE_FLAGS, victim) != 0, "nor the hypervisor's");
    tap_ok(map_foreign(window, frames[0], TABLE_FLAGS, 0) != 0, "oneself is not a foreign domain");
    tap_ok(map_foreign(window, frames[0], TABLE_FLAGS, 1234) != 0, "nor is one that is not there");
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
        tap_ok(map_foreign(window, frames[i], TABLE_FLAGS, victim) != 0,
               "its level %u can't be mapped writable here", i);
    }
    tap_is(map_foreign(window, frames[1], TABLE_FLAGS & ~PTE_RW, victim), 0, "but read-only");
    tap_ok(PTE_MFN(window[9]) == frames[5], "and the entry is there");
    tap_ok(foreign_update(frames[1], 10, make_pte(virt_to_mfn(window), TABLE_FLAGS)) != 0,
           "its tables take no frame of ours");
    tap_is(foreign_update(frames[1], 10, make_pte(frames[6], TABLE_FLAGS)), 0,
           "and one of its own");
    tap_ok(foreign_ext(MMUEXT_NEW_BASEPTR, frames[4]) != 0, "its table is not our base");
    tap_ok(foreign_ext(MMUEXT_TLB_FLUSH_LOCAL, 0) != 0, "nor are its flushes ours");
}

static void destroy(void)
{
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = victim;
    tap_is(domctl(&op, XEN_DOMCTL_destroydomain), 0, "the domain is destroyed");
}

static void wait_a_little(void)
{
    for (unsigned int i = 0; i < 200; i++) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
    }
}

/* One domain's life. */
static void life(void)
{
    uint64_t *window = alloc_page(), *keep = alloc_page();
    uint64_t old = *pte_of(window, 1), keep_old = *pte_of(keep, 1);

    create();
    populate();
    test_mapping(window);
    test_tables(window);
    tap_is(map_foreign(keep, frames[20], TABLE_FLAGS, victim), 0, "one more frame is kept mapped");
    tap_is(remap(window, old), 0, "the window is closed");
    destroy();
    keep[0] = 0x5555;
    tap_ok(keep[0] == 0x5555, "the kept frame is still there");
    tap_is(remap(keep, keep_old), 0, "until it is given up");
}

/* The hypervisor's own allocator may keep a page or two from the first life for the next. */
void test_main(void)
{
    unsigned long before, after;

    life();
    wait_a_little();
    before = free_pages();
    life();
    for (unsigned int i = 0; i < 100 && free_pages() != before; i++) {
        wait_a_little();
    }
    after = free_pages();
    tap_ok(after >= before, "every page has come back (%ld lost)", (long)(before - after));
}
