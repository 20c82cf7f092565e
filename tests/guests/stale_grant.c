/*
 * A mapped grant that the mapper takes out of its page table by itself, without ending it. As
 * Domain 0, makes two domains: one that only has a frame and grants it, and a copy of this very
 * kernel with two vcpus, which maps it. One of these writes to the frame all the time through its
 * TLB; the other overwrites the page-table entry without a flush. Then the frame becomes a page
 * table of its owner. Proves that from then on nobody writes to it: the translation is in no TLB of
 * a domain that is neither the frame's owner nor Domain 0.
 */
#include "control.h"

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define GRANTER     SECOND_DOMAIN
#define MAPPER      (SECOND_DOMAIN + 1u)
#define REF         20u
#define MAX_PAGES   600u

extern char _text[], _end[]; /* of this kernel: whole pages */
extern char secondary_start[], trap_entries[], event_entry[], failsafe_entry[];

static unsigned long granted, frames[MAX_PAGES];
static unsigned int nr_image;
static uint64_t *window, *view;
/* What the mapper's vcpus and we tell each other: a page of the mapper's copy. */
static struct {
    volatile long state; /* 1: mapped, 2: the entry is overwritten, < 0: something did not work */
    volatile uint64_t written;
    volatile bool faulted;
} box __attribute__((aligned(4096)));
static uint8_t stacks_of_mapper[2][8192] __attribute__((aligned(16)));

/* ---- the mapper ---- */

static void mapper_main(void)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = (unsigned long)window, .flags = GNTMAP_host_map, .ref = REF, .dom = GRANTER};
    long rc;

    if (hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1) != 0 ||
        op.status != GNTST_okay) {
        box.state = op.status ? op.status : -1000;
        return;
    }
    box.state = 1;
    while (box.written < 1000) {
        pause_cpu();
    }
    rc = hypercall(__HYPERVISOR_update_va_mapping, window, 0, UVMF_NONE);
    box.state = rc ? rc : 2;
}

static void mapper_writer(void)
{
    uint64_t n = 0;

    while (box.state != 1) {
        pause_cpu();
    }
    /* Even numbers: as entries of a page table they are absent ones. */
    while (!probe_write(window, n).happened) {
        n += 2;
        box.written = n;
    }
    box.faulted = true;
}

/* ---- making the domains ---- */

static void check(long rc, const char *what)
{
    if (rc != 0) {
        tap_bail_out("%s: %ld", what, rc);
    }
}

static void create_mapper(unsigned int pages)
{
    struct xen_memory_reservation r;
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = MAPPER;
    op.u.createdomain.max_vcpus = 2;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
    check(domctl(&op, XEN_DOMCTL_createdomain), "no mapper");
    memset(&op, 0, sizeof(op));
    op.domain = MAPPER;
    op.u.max_mem.max_memkb = pages * 4;
    check(domctl(&op, XEN_DOMCTL_max_mem), "no memory limit");
    memset(&op, 0, sizeof(op));
    op.domain = MAPPER;
    op.u.max_vcpus.max = 2;
    check(domctl(&op, XEN_DOMCTL_max_vcpus), "no vcpus");
    memset(&r, 0, sizeof(r));
    r.nr_extents = pages;
    r.domid = MAPPER;
    r.extent_start.p = frames;
    check(hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &r) - (long)pages,
          "no memory");
}

static void copy_to_frame(unsigned long frame, const void *from)
{
    check(map_foreign(view, make_pte(frame, TABLE_FLAGS), MAPPER), "a frame of the mapper");
    memcpy(view, from, PAGE_SIZE);
}

/* This kernel's image at the same addresses, and page tables for it: levels 1 (two), 2, 3, 4. */
static void copy_kernel(void)
{
    static uint64_t table[512] __attribute__((aligned(4096)));
    unsigned long start = (unsigned long)_text, *tables = &frames[nr_image];

    for (unsigned int i = 0; i < nr_image; i++) {
        copy_to_frame(frames[i], _text + i * PAGE_SIZE);
    }
    for (unsigned int l1 = 0; l1 < 2; l1++) {
        memset(table, 0, sizeof(table));
        for (unsigned int i = 0; i < nr_image; i++) {
            unsigned long va = start + i * PAGE_SIZE;

            if (((va >> 21) & 511) == ((GUEST_VIRT_BASE >> 21) & 511) + l1) {
                table[(va >> 12) & 511] = make_pte(frames[i], TABLE_FLAGS);
            }
        }
        copy_to_frame(tables[l1], table);
    }
    memset(table, 0, sizeof(table));
    table[(GUEST_VIRT_BASE >> 21) & 511] = make_pte(tables[0], TABLE_FLAGS);
    table[((GUEST_VIRT_BASE >> 21) & 511) + 1] = make_pte(tables[1], TABLE_FLAGS);
    copy_to_frame(tables[2], table);
    for (unsigned int level = 3; level <= 4; level++) {
        memset(table, 0, sizeof(table));
        table[(GUEST_VIRT_BASE >> (12 + 9 * (level - 1))) & 511] =
            make_pte(tables[level - 1], TABLE_FLAGS);
        copy_to_frame(tables[level], table);
    }
    remap(view, 0);
}

static void start_mapper_vcpu(unsigned int id, void (*fn)(void))
{
    static struct vcpu_guest_context c;
    struct xen_domctl op;
    uint8_t cpu = (uint8_t)(1u << id);

    vcpu_context(&c, fn, &stacks_of_mapper[id + 1], frames[nr_image + 4]);
    c.flags |= VGCF_online;
    memset(&op, 0, sizeof(op));
    op.domain = MAPPER;
    op.u.vcpucontext.vcpu = id;
    op.u.vcpucontext.ctxt.p = &c;
    check(domctl(&op, XEN_DOMCTL_setvcpucontext), "a vcpu's context");
    /* One beside us, the other with a CPU of its own, whose TLB nobody else flushes. */
    memset(&op, 0, sizeof(op));
    op.domain = MAPPER;
    op.u.vcpuaffinity.vcpu = id;
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op.u.vcpuaffinity.cpumap_hard.bitmap.p = &cpu;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    check(domctl(&op, XEN_DOMCTL_setvcpuaffinity), "a vcpu's CPU");
}

static void make_granter(void)
{
    struct xen_mem_acquire_resource r = {
        .domid = GRANTER, .type = XENMEM_resource_grant_table, .nr_frames = 1};
    grant_entry_v1_t *grants = (grant_entry_v1_t *)view;
    xen_pfn_t frame;

    create_second_domain(1, &granted, 1, 0);
    r.frame_list.p = &frame;
    check(hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &r), "no grant table");
    check(map_foreign(view, make_pte(frame, TABLE_FLAGS), GRANTER), "the grant table's frame");
    grants[REF].domid = MAPPER;
    grants[REF].frame = (uint32_t)granted;
    grants[REF].flags = GTF_permit_access;
}

/* ---- the test ---- */

static long granter_ext(unsigned int cmd)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = granted;
    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, 0, GRANTER);
}

static void yield(void)
{
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
}

static void wait_for_state(const volatile long *state)
{
    for (unsigned int i = 0; i < 20000 && *state != 2 && *state >= 0; i++) {
        yield();
    }
}

static bool changes(const volatile uint64_t *word)
{
    uint64_t first = *word;

    for (unsigned int i = 0; i < 2000 && *word == first; i++) {
        yield();
    }
    return *word != first;
}

static long destroy_mapper(void)
{
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = MAPPER;
    return domctl(&op, XEN_DOMCTL_destroydomain);
}

void test_main(void)
{
    unsigned long box_page = ((unsigned long)&box - (unsigned long)_text) / PAGE_SIZE;
    const volatile long *state;
    uint64_t *frame_view = alloc_page();
    struct xen_domctl op;

    window = alloc_page();
    view = alloc_page();
    nr_image = (unsigned int)((_end - _text) / (long)PAGE_SIZE);
    make_granter();
    create_mapper(nr_image + 5);
    copy_kernel();
    start_mapper_vcpu(0, mapper_main);
    start_mapper_vcpu(1, mapper_writer);
    check(map_foreign(view, make_pte(frames[box_page], TABLE_FLAGS), MAPPER), "the mapper's box");
    state = (const volatile long *)view;
    memset(&op, 0, sizeof(op));
    op.domain = MAPPER;
    check(domctl(&op, XEN_DOMCTL_unpausedomain), "the mapper does not start");
    wait_for_state(state);
    tap_is(*state, 2, "a domain maps another's frame and overwrites the entry");
    tap_is(granter_ext(MMUEXT_PIN_L1_TABLE), 0, "the frame becomes a page table of its owner");
    check(map_foreign(frame_view, make_pte(granted, TABLE_FLAGS & ~PTE_RW), GRANTER),
          "the frame cannot be looked at");
    tap_ok(!changes(frame_view), "and nobody writes to it any more");
    tap_is(granter_ext(MMUEXT_UNPIN_TABLE), 0, "it is data again");
    remap(frame_view, 0);
    remap(view, 0);
    tap_is(destroy_mapper(), 0, "the mapper is destroyed, with its mapping never ended");
    tap_is(destroy_second_domain(), 0, "and the granter");
}
