/* Hostile neighbours that flood the hypervisor: event channels and grants. See neighbour.c. */
#include "neighbour.h"

uint64_t neighbour_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A state for neighbour_random, different on each vcpu. */
static uint64_t seed(void)
{
    static uint64_t next = 0x9e3779b97f4a7c15ull;

    return __atomic_add_fetch(&next, 0x3c6ef372fe94f82aull, __ATOMIC_RELAXED);
}

/* ---- events ---- */

static long event_op(unsigned int cmd, void *arg)
{
    return hypercall(__HYPERVISOR_event_channel_op, cmd, arg);
}

/* Takes ports, of every kind, until the hypervisor refuses; the highest port that was seen. */
static evtchn_port_t take_ports(uint64_t *random)
{
    evtchn_port_t highest = 0;

    for (unsigned int i = 0; i < 8192; i++) {
        struct evtchn_alloc_unbound u = {.dom = DOMID_SELF};
        struct evtchn_bind_interdomain b = {.remote_dom = (domid_t)(neighbour_random(random) % 8),
                                            .remote_port = (evtchn_port_t)(*random >> 32) % 64};
        struct evtchn_bind_ipi ipi = {.vcpu = (uint32_t)(*random >> 48) % 4};
        evtchn_port_t port = 0;
        long rc;

        u.remote_dom = (domid_t)(neighbour_random(random) % 3);
        switch (neighbour_random(random) % 4) {
        case 0:
            rc = event_op(EVTCHNOP_bind_interdomain, &b);
            port = b.local_port;
            rc = rc ? 0 : rc; /* nobody listens there: that is no end */
            break;
        case 1:
            rc = event_op(EVTCHNOP_bind_ipi, &ipi);
            port = ipi.port;
            break;
        default:
            rc = event_op(EVTCHNOP_alloc_unbound, &u);
            port = u.port;
            break;
        }
        if (rc) {
            break;
        }
        highest = port > highest && port < 1u << 17 ? port : highest;
    }
    return highest;
}

/* Ports 1 and 2 are the store's and the console's, or the other way round: those stay. */
static void close_ports(evtchn_port_t highest)
{
    for (evtchn_port_t p = 3; p <= highest; p++) {
        struct evtchn_close c = {.port = p};

        event_op(EVTCHNOP_close, &c);
    }
}

void neighbour_events(void)
{
    uint64_t random = seed();

    for (;;) {
        evtchn_port_t highest = take_ports(&random);

        for (unsigned int i = 0; i < 20000; i++) {
            struct evtchn_send s = {
                .port = (evtchn_port_t)(neighbour_random(&random) % (i % 2 ? 3 : highest + 10))};
            struct evtchn_unmask u = {.port = s.port};

            event_op(EVTCHNOP_send, &s);
            event_op(EVTCHNOP_unmask, &u);
        }
        close_ports(highest);
    }
}

/* ---- grants ---- */

#define ENTRIES 4096u /* 32 frames of the first version */
static grant_entry_v1_t *table[ENTRIES / 512];
static unsigned int nr_frames;

/* Takes as many frames of entries as there are pages for; only once, vcpu 0. */
static void take_table(void)
{
    static unsigned long frames[64];
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 64};

    s.frame_list.p = frames;
    if (hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &s, 1) != 0 || s.status != 0) {
        return;
    }
    for (unsigned int i = 0; i < ENTRIES / 512; i++) {
        void *page = alloc_page();

        if (remap(page, make_pte(frames[i], PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)) == 0) {
            table[i] = page;
            __atomic_store_n(&nr_frames, i + 1, __ATOMIC_RELEASE);
        }
    }
}

static void grant_something(uint64_t *random, unsigned int n, void *page)
{
    grant_ref_t ref = (grant_ref_t)(neighbour_random(random) % (n * 512));
    grant_entry_v1_t *e = &table[ref / 512][ref % 512];

    e->domid = (domid_t)(*random >> 20) % 4;
    e->frame = *random & 1 ? (uint32_t)virt_to_mfn(page) : (uint32_t)(*random >> 30);
    e->flags = (uint16_t)(*random >> 50);
}

/* Maps and unmaps, mostly wrongly. */
static void map_something(uint64_t *random, void *page)
{
    struct gnttab_map_grant_ref m[16];
    struct gnttab_unmap_grant_ref u[16];

    for (unsigned int i = 0; i < 16; i++) {
        uint64_t r = neighbour_random(random);

        memset(&m[i], 0, sizeof(m[i]));
        m[i].host_addr = r & 3 ? (unsigned long)page : r;
        m[i].flags = r >> 8 & 3 ? GNTMAP_host_map : (uint32_t)(r >> 10);
        m[i].ref = (grant_ref_t)(r >> 30) % ENTRIES;
        m[i].dom = r >> 60 ? DOMID_SELF : (domid_t)(r >> 56) % 4;
    }
    hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, m, 16);
    for (unsigned int i = 0; i < 16; i++) {
        uint64_t r = neighbour_random(random);

        memset(&u[i], 0, sizeof(u[i]));
        u[i].host_addr = r & 3 ? m[i].host_addr : r;
        u[i].handle = m[i].status == 0 && r & 4 ? m[i].handle : (grant_handle_t)(r >> 40);
    }
    hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, u, 16);
}

static void copy_something(uint64_t *random, void *page)
{
    struct gnttab_copy c[16];

    for (unsigned int i = 0; i < 16; i++) {
        uint64_t r = neighbour_random(random);

        memset(&c[i], 0, sizeof(c[i]));
        c[i].flags = (uint16_t)(r & 3);
        c[i].source.domid = c[i].dest.domid = DOMID_SELF;
        c[i].source.u.gmfn = c[i].dest.u.gmfn = virt_to_mfn(page);
        if (r & 1) {
            c[i].source.u.ref = (grant_ref_t)(r >> 30) % ENTRIES;
            c[i].source.domid = (domid_t)(r >> 50) % 4;
        }
        if (r & 2) {
            c[i].dest.u.ref = (grant_ref_t)(r >> 30) % ENTRIES;
            c[i].dest.domid = (domid_t)(r >> 52) % 4;
        }
        c[i].source.offset = (uint16_t)(r >> 8) % 4096;
        c[i].dest.offset = (uint16_t)(r >> 16) % 4096;
        c[i].len = (uint16_t)(r >> 24) % 4200;
    }
    hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy, c, 16);
}

void neighbour_grants(void)
{
    uint64_t random = seed();
    static unsigned int first;
    void *page = alloc_page(), *window = alloc_page();

    if (__atomic_fetch_add(&first, 1, __ATOMIC_RELAXED) == 0) {
        take_table();
    }
    for (;;) {
        unsigned int n = __atomic_load_n(&nr_frames, __ATOMIC_ACQUIRE);
        struct gnttab_set_version v = {.version = (uint32_t)(neighbour_random(&random) % 4)};

        for (unsigned int i = 0; n && i < 64; i++) {
            grant_something(&random, n, page);
        }
        map_something(&random, window);
        copy_something(&random, page);
        if (random % 64 == 0) {
            hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_set_version, &v, 1);
        }
    }
}
