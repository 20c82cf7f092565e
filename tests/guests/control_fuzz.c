/*
 * Random control. As Domain 0, creates domains and does to each, from two vcpus at once, thousands
 * of things that a manager may do, in any order and with arguments that are mostly nearly right:
 * domctls, memory, page tables, grants and event channels of that domain, mappings of its frames.
 * Then lets go of everything it holds itself, and destroys the domain. Proves:
 *
 *   - nothing of it takes the hypervisor down;
 *   - every page comes back: as many are free after each life as before it. A reference or a type
 *     that is counted once too often keeps a page; once too little stops the machine.
 *
 * Options: n=COUNT operations in each life (default 4000), lives=COUNT (default 6), seed=NUMBER;
 * alone: one vcpu only; ops=MASK: only these operations (to find out which it was).
 */
#include "control.h"

#define TABLE_FLAGS  (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define GUEST_PAGES  64u
#define WINDOWS      4u
#define PORTS        8u
#define FIRST_FRAMES 8u /* frames with a first chance of being tables */

/* What one vcpu holds of the victim. */
struct actor {
    uint64_t *window[WINDOWS];
    uint64_t window_pte[WINDOWS];
    grant_handle_t handle[WINDOWS]; /* of a grant that is mapped at the window */
    bool granted[WINDOWS];
    uint8_t *arg; /* two pages, with nothing mapped behind: arrays of any length are asked for */
    volatile unsigned long done;
};
static struct actor actors[2];
static uint8_t args[2][3][4096] __attribute__((aligned(4096)));
static unsigned long frames[GUEST_PAGES];
static uint64_t *volatile grants; /* our mapping of the victim's first grant frame; NULL: none */
static volatile bool running[2], stop;

static unsigned long number(const char *name, unsigned long otherwise)
{
    const char *s = guest_option(name);
    unsigned long n = 0;

    while (s && *s >= '0' && *s <= '9') {
        n = n * 10 + (unsigned long)(*s++ - '0');
    }
    return n ? n : otherwise;
}

static uint64_t rnd(uint64_t n)
{
    return (guest_random() >> 8) % n;
}

static unsigned long victim_frame(void)
{
    return frames[rnd(3) ? rnd(FIRST_FRAMES) : rnd(GUEST_PAGES)];
}

static unsigned long some_frame(void)
{
    switch (rnd(16)) {
    case 0:
        return 0x200 + rnd(0x100); /* the hypervisor's image */
    case 1:
        return virt_to_mfn(actors) + rnd(8);
    case 2:
        return rnd(0x40000);
    default:
        return victim_frame();
    }
}

static uint64_t some_pte(void)
{
    uint64_t flags = PTE_P | (rnd(3) ? PTE_US | PTE_A : 0) | (rnd(2) ? PTE_RW : 0);

    if (rnd(8) == 0) {
        return 0;
    }
    return make_pte(some_frame(), rnd(16) ? flags : guest_random() & 0x8000000000000fffull);
}

/* ---- the operations ---- */

static void op_update(struct actor *a)
{
    struct mmu_update u[4];

    for (unsigned int i = 0; i < 4; i++) {
        u[i].ptr = ((uint64_t)victim_frame() << 12) | rnd(512) * 8 | (rnd(8) ? 0 : rnd(4));
        u[i].val = some_pte();
    }
    hypercall(__HYPERVISOR_mmu_update, u, 1 + rnd(4), 0, (SECOND_DOMAIN + 1) << 16 | SECOND_DOMAIN);
}

static void op_ext(struct actor *a)
{
    static const unsigned int cmds[] = {
        MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,  MMUEXT_PIN_L3_TABLE,    MMUEXT_PIN_L4_TABLE,
        MMUEXT_UNPIN_TABLE,  MMUEXT_UNPIN_TABLE,   MMUEXT_UNPIN_TABLE,     MMUEXT_CLEAR_PAGE,
        MMUEXT_COPY_PAGE,    MMUEXT_TLB_FLUSH_ALL, MMUEXT_NEW_USER_BASEPTR};
    struct mmuext_op op = {.cmd = cmds[rnd(sizeof(cmds) / sizeof(cmds[0]))]};

    op.arg1.mfn = some_frame();
    op.arg2.src_mfn = some_frame();
    if (op.cmd != MMUEXT_NEW_USER_BASEPTR) {
        hypercall(__HYPERVISOR_mmuext_op, &op, 1, 0, SECOND_DOMAIN);
    }
}

static void op_map(struct actor *a)
{
    unsigned int w = (unsigned int)rnd(WINDOWS);

    if (!a->granted[w]) {
        hypercall(__HYPERVISOR_update_va_mapping_otherdomain, a->window[w],
                  make_pte(victim_frame(), TABLE_FLAGS & ~(rnd(2) ? PTE_RW : 0)),
                  UVMF_INVLPG | UVMF_LOCAL, SECOND_DOMAIN);
    }
}

/* Writes what may be table entries or anything else, where a window is writable. */
static void op_write(struct actor *a)
{
    unsigned int w = (unsigned int)rnd(WINDOWS);

    /* Faults have one place for both vcpus: only the first one probes. */
    if (a == &actors[0]) {
        (void)probe_write(&a->window[w][rnd(512)], some_pte());
    }
}

static void op_memory(struct actor *a)
{
    static const unsigned int cmds[] = {XENMEM_decrease_reservation, XENMEM_populate_physmap,
                                        XENMEM_increase_reservation, XENMEM_claim_pages,
                                        XENMEM_maximum_reservation};
    unsigned int i = (unsigned int)rnd(GUEST_PAGES), cmd = cmds[rnd(5)];
    struct xen_memory_reservation r = {.nr_extents = 1 + rnd(2), .domid = SECOND_DOMAIN};
    unsigned long list[2] = {frames[i], victim_frame()};

    r.extent_start.p = list;
    if (cmd == XENMEM_maximum_reservation) {
        domid_t d = SECOND_DOMAIN;

        hypercall(__HYPERVISOR_memory_op, cmd, &d);
        return;
    }
    if (hypercall(__HYPERVISOR_memory_op, cmd, &r) >= 1 && cmd != XENMEM_decrease_reservation &&
        cmd != XENMEM_claim_pages) {
        frames[i] = list[0];
    }
}

static void op_exchange(struct actor *a)
{
    struct xen_memory_exchange x;
    unsigned long in = victim_frame(), out = in;

    memset(&x, 0, sizeof(x));
    x.in.extent_start.p = &in;
    x.out.extent_start.p = &out;
    x.in.nr_extents = x.out.nr_extents = 1;
    x.in.domid = x.out.domid = SECOND_DOMAIN;
    hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, &x);
}

static void op_grant_entry(struct actor *a)
{
    uint64_t *table = grants; /* the other vcpu may let go of it meanwhile */

    if (table) {
        unsigned int ref = (unsigned int)rnd(16);

        table[ref] = (uint64_t)some_frame() << 32 | (rnd(16) ? 0 : rnd(9)) << 16 |
                     (rnd(4) ? GTF_permit_access : rnd(8)) | (rnd(4) ? 0 : GTF_readonly);
    }
}

static void op_grant(struct actor *a)
{
    unsigned int w = (unsigned int)rnd(WINDOWS);

    if (a->granted[w]) {
        struct gnttab_unmap_grant_ref u = {.host_addr = (unsigned long)a->window[w],
                                           .handle = a->handle[w]};

        hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1);
        a->granted[w] = u.status != GNTST_okay;
    } else {
        struct gnttab_map_grant_ref m = {.host_addr = (unsigned long)a->window[w],
                                         .flags = GNTMAP_host_map | (rnd(2) ? GNTMAP_readonly : 0),
                                         .ref = (grant_ref_t)rnd(16),
                                         .dom = SECOND_DOMAIN};

        hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &m, 1);
        a->granted[w] = m.status == GNTST_okay;
        a->handle[w] = m.handle;
    }
}

static void op_copy(struct actor *a)
{
    struct gnttab_copy c = {.len = (uint16_t)rnd(4096)};

    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.u.gmfn = c.dest.u.gmfn = virt_to_mfn(a->arg);
    if (rnd(2)) {
        c.flags = GNTCOPY_source_gref;
        c.source.domid = SECOND_DOMAIN;
        c.source.u.ref = (grant_ref_t)rnd(16);
    } else {
        c.flags = GNTCOPY_dest_gref;
        c.dest.domid = SECOND_DOMAIN;
        c.dest.u.ref = (grant_ref_t)rnd(16);
    }
    hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &c, 1);
}

static void op_event(struct actor *a)
{
    struct evtchn_alloc_unbound u = {.dom = (domid_t)(rnd(2) ? SECOND_DOMAIN : DOMID_SELF),
                                     .remote_dom = (domid_t)(rnd(2) ? SECOND_DOMAIN : 0)};
    struct evtchn_bind_interdomain b = {.remote_dom = SECOND_DOMAIN,
                                        .remote_port = (evtchn_port_t)rnd(PORTS)};
    struct evtchn_close c = {.port = (evtchn_port_t)(1 + rnd(PORTS))};
    struct evtchn_reset r = {.dom = SECOND_DOMAIN};
    struct evtchn_status s = {.dom = SECOND_DOMAIN, .port = (evtchn_port_t)rnd(PORTS)};

    switch (rnd(6)) {
    case 0:
    case 1:
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &u);
        break;
    case 2:
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &b);
        break;
    case 3:
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &c);
        break;
    case 4:
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &s);
        break;
    default:
        if (rnd(16) == 0) {
            hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, &r);
        }
        break;
    }
}

/* What gives the victim the machine's devices, ends it or makes another: not here. */
static bool left_out(unsigned int cmd)
{
    switch (cmd) {
    case XEN_DOMCTL_createdomain:
    case XEN_DOMCTL_destroydomain:
    case XEN_DOMCTL_ioport_permission:
    case XEN_DOMCTL_iomem_permission:
    case XEN_DOMCTL_irq_permission:
    case XEN_DOMCTL_memory_mapping:
    case XEN_DOMCTL_ioport_mapping:
    case XEN_DOMCTL_set_virq_handler:
    case XEN_DOMCTL_max_mem: /* keeps frames[] small */
        return true;
    default:
        return false;
    }
}

static void op_domctl(struct actor *a)
{
    struct xen_domctl op;
    uint64_t *w = (uint64_t *)&op.u;

    memset(&op, 0, sizeof(op));
    op.domain = SECOND_DOMAIN;
    for (unsigned int i = 0; i < sizeof(op.u) / 8; i++) {
        w[i] = rnd(2) ? rnd(4) : rnd(2) ? (unsigned long)a->arg + rnd(256) * 8 : guest_random();
    }
    op.cmd = (uint32_t)rnd(90);
    if (!left_out(op.cmd)) {
        domctl(&op, op.cmd);
    }
}

/* A context that is right but for one thing or two: tables of the victim's, random registers. */
static void op_context(struct actor *a)
{
    struct vcpu_guest_context *c = (struct vcpu_guest_context *)a->arg;
    struct xen_domctl op;

    _Static_assert(sizeof(*c) <= 8192, "fits");
    memset(a->arg, 0, sizeof(*c));
    c->flags = VGCF_IN_KERNEL | (rnd(2) ? VGCF_online : 0);
    c->user_regs.rip = guest_random() >> rnd(64);
    c->user_regs.rsp = guest_random() >> rnd(64);
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = c->kernel_ss = FLAT_KERNEL_SS;
    c->ctrlreg[3] = (uint64_t)victim_frame() << 12;
    c->ctrlreg[1] = rnd(2) ? 0 : (uint64_t)victim_frame() << 12 | 1;
    if (rnd(4) == 0) {
        c->gdt_frames[0] = victim_frame();
        c->gdt_ents = rnd(1024);
    }
    memset(&op, 0, sizeof(op));
    op.domain = SECOND_DOMAIN;
    op.u.vcpucontext.ctxt.p = (vcpu_guest_context_t *)c;
    domctl(&op, XEN_DOMCTL_setvcpucontext);
}

static void (*const ops[])(struct actor *a) = {
    op_update, op_update, op_update, op_ext,    op_ext,         op_ext,     op_map,
    op_write,  op_write,  op_memory, op_memory, op_grant_entry, op_grant,   op_grant,
    op_copy,   op_event,  op_domctl, op_domctl, op_context,     op_exchange};

static unsigned long mask; /* option: bit n, the n-th of ops; 0: all */

static void act(struct actor *a)
{
    unsigned int n = (unsigned int)rnd(sizeof(ops) / sizeof(ops[0]));

    if (mask == 0 || (mask >> n & 1)) {
        ops[n](a);
    }
    a->done++;
}

/* The second vcpu: acts while it is told to. */
static void other_vcpu(void)
{
    while (!stop) {
        if (running[0]) {
            running[1] = true;
            act(&actors[1]);
        } else {
            running[1] = false;
            pause_cpu();
        }
    }
    running[1] = false;
}

/* ---- a life ---- */

static void map_grant_frame(void *at)
{
    struct gnttab_setup_table s = {.dom = SECOND_DOMAIN, .nr_frames = 1};
    unsigned long frame = 0;

    s.frame_list.p = &frame;
    hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &s, 1);
    if (hypercall(__HYPERVISOR_update_va_mapping_otherdomain, at, make_pte(frame, TABLE_FLAGS),
                  UVMF_INVLPG | UVMF_LOCAL, SECOND_DOMAIN) == 0) {
        grants = at;
    }
}

static void let_go(struct actor *a)
{
    struct evtchn_close c;

    for (unsigned int w = 0; w < WINDOWS; w++) {
        for (unsigned int i = 0; i < 3 && a->granted[w]; i++) {
            struct gnttab_unmap_grant_ref u = {.host_addr = (unsigned long)a->window[w],
                                               .handle = a->handle[w]};

            hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &u, 1);
            a->granted[w] = u.status != GNTST_okay;
        }
        if (a->granted[w]) {
            tap_ok(false, "a grant cannot be unmapped");
            a->granted[w] = false;
        }
        remap(a->window[w], a->window_pte[w]);
    }
    for (c.port = 1; c.port < 1024; c.port++) {
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &c);
    }
}

/* The hypervisor keeps the pages in which it describes our event channels: more of them than any
 * life opens have been there once. */
static void make_room_for_ports(void)
{
    struct evtchn_alloc_unbound u = {.dom = DOMID_SELF, .remote_dom = 0};
    struct evtchn_close c;

    for (unsigned int i = 0; i < 900; i++) {
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &u);
    }
    for (c.port = 1; c.port < 1024; c.port++) {
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &c);
    }
}

static void life(unsigned long n, void *grant_window, uint64_t grant_pte)
{
    struct xen_domctl op;

    create_second_domain(2, frames, GUEST_PAGES, 8);
    map_grant_frame(grant_window);
    running[0] = true;
    for (unsigned long i = 0; i < n; i++) {
        act(&actors[0]);
    }
    grants = NULL;
    remap(grant_window, grant_pte);
    memset(&op, 0, sizeof(op));
    op.domain = SECOND_DOMAIN;
    if (rnd(2)) { /* destroyed while the other vcpu goes on with it, or after we let go */
        domctl(&op, XEN_DOMCTL_destroydomain);
    }
    running[0] = false;
    while (running[1]) {
        pause_cpu();
    }
    let_go(&actors[0]);
    let_go(&actors[1]);
    domctl(&op, XEN_DOMCTL_destroydomain);
}

void test_main(void)
{
    unsigned long n = number("n", 4000), lives = number("lives", 6);
    uint64_t *grant_window = alloc_page(), grant_pte = *pte_of(grant_window, 1);
    unsigned long before;

    mask = number("ops", 0);
    for (unsigned long i = number("seed", 0) % 10000; i > 0; i--) {
        (void)guest_random();
    }
    for (unsigned int i = 0; i < 2 * WINDOWS; i++) {
        struct actor *a = &actors[i / WINDOWS];

        a->window[i % WINDOWS] = alloc_page();
        a->window_pte[i % WINDOWS] = *pte_of(a->window[i % WINDOWS], 1);
    }
    for (unsigned int i = 0; i < 2; i++) {
        actors[i].arg = args[i][0];
        if (remap(args[i][2], 0) != 0) {
            tap_bail_out("no page can be unmapped");
        }
    }
    make_room_for_ports();
    if (!guest_option("alone")) {
        tap_is(start_vcpu(1, other_vcpu), 0, "a second vcpu joins in");
    }
    life(n, grant_window, grant_pte); /* the hypervisor's allocators keep a page or two */
    (void)pages_lost(~0ul);
    before = free_pages();
    for (unsigned long i = 0; i < lives; i++) {
        unsigned long done = actors[0].done + actors[1].done;

        life(n, grant_window, grant_pte);
        done = actors[0].done + actors[1].done - done;
        if (pages_lost(before) != 0) {
            debug_keys("mqe");
        }
        tap_is(pages_lost(before), 0, "%lu random operations, and every page has come back", done);
    }
    stop = true;
}
