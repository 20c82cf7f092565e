/* Hostile neighbours that spoil what they share with Domain 0: rings, the store. See neighbour.c.
 */
#include "neighbour.h"

#include <xen/grant_table.h>
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

static uint64_t random_state = 0x2545f4914f6cdd1dull;

static uint64_t rnd(void)
{
    return neighbour_random(&random_state);
}

static void kick(evtchn_port_t port)
{
    struct evtchn_send s = {.port = port};

    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s);
}

/* ---- the rings of console and store ---- */

static void scribble(void *page, size_t n)
{
    uint64_t *w = page;

    for (size_t i = 0; i < n / 8; i++) {
        w[i] = rnd();
    }
}

void neighbour_rings(void)
{
    sleep_ns(5000000000ull); /* what was said is read */
    for (unsigned long round = 0;; round++) {
        scribble(domu_console, sizeof(*domu_console));
        if (round % 4 == 0) {
            scribble(domu_store, sizeof(*domu_store));
        } else {
            domu_store->req_prod = (uint32_t)rnd();
        }
        if (round % 3 == 0) { /* indices that are possible, so that the bytes are looked at */
            domu_console->out_prod = domu_console->out_cons + (uint32_t)rnd() % 2048;
            domu_store->req_prod = domu_store->req_cons + (uint32_t)rnd() % 1024;
            domu_store->rsp_cons = domu_store->rsp_prod;
            domu_store->connection = 0;
        }
        kick(start_info->console.domU.evtchn);
        kick(start_info->store_evtchn);
        sleep_ns(rnd() % 2000000);
    }
}

/* ---- a disk's ring ---- */

static blkif_sring_t *disk_ring;
static grant_entry_v1_t *grants;
static evtchn_port_t disk_port;

static void map_grants(void)
{
    unsigned long frame = 0;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};

    s.frame_list.p = &frame;
    hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &s, 1);
    grants = alloc_page();
    if (s.status != 0 ||
        remap(grants, make_pte(frame, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)) != 0) {
        say("neighbour: no grant table");
        neighbour_idle();
    }
}

static void grant_to_dom0(grant_ref_t ref, void *page)
{
    grants[ref].domid = 0;
    grants[ref].frame = (uint32_t)virt_to_mfn(page);
    __atomic_store_n(&grants[ref].flags, GTF_permit_access, __ATOMIC_RELEASE);
}

static long write_number(const char *path, unsigned long number)
{
    char text[24];

    put_decimal(text, number);
    return store_write(path, text);
}

/* As a good frontend would: the ring's grant, the port, the state "initialised". */
static bool connect_disk(void)
{
    struct evtchn_alloc_unbound u = {.dom = DOMID_SELF, .remote_dom = 0};

    map_grants();
    disk_ring = alloc_page();
    disk_ring->req_event = disk_ring->rsp_event = 1;
    grant_to_dom0(50, disk_ring);
    if (hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &u) != 0) {
        return false;
    }
    disk_port = u.port;
    return write_number("device/vbd/51712/ring-ref", 50) >= 0 &&
           write_number("device/vbd/51712/event-channel", disk_port) >= 0 &&
           store_write("device/vbd/51712/protocol", "x86_64-abi") >= 0 &&
           write_number("device/vbd/51712/state", XenbusStateInitialised) >= 0;
}

/* A request that is wrong somewhere: grants, sectors, counts, operations. */
static void bad_request(blkif_request_t *r)
{
    scribble(r, sizeof(*r));
    switch (rnd() % 4) {
    case 0:
        r->operation = (uint8_t)(rnd() % 7);
        break;
    case 1:
        r->operation = BLKIF_OP_READ;
        r->nr_segments = (uint8_t)(rnd() % 13);
        break;
    case 2: /* right but for the sector */
        r->operation = BLKIF_OP_READ;
        r->nr_segments = 1;
        r->seg[0] = (struct blkif_request_segment){.gref = 50 + (grant_ref_t)(rnd() % 8),
                                                   .first_sect = 0,
                                                   .last_sect = (uint8_t)(rnd() % 9)};
        break;
    default:
        break;
    }
}

void neighbour_devices(void)
{
    if (!connect_disk()) {
        say("neighbour: the disk cannot be connected");
        neighbour_idle();
    }
    for (grant_ref_t ref = 51; ref < 58; ref++) {
        grant_to_dom0(ref, alloc_page());
    }
    sleep_ns(3000000000ull); /* the backend connects */
    write_number("device/vbd/51712/state", XenbusStateConnected);
    say("neighbour: spoils its disk's ring");
    for (unsigned long round = 0;; round++) {
        unsigned int n = __CONST_RING_SIZE(blkif, PAGE_SIZE), at = disk_ring->req_prod;

        for (unsigned int i = 0; i < n; i++) {
            bad_request(&disk_ring->ring[i].req);
        }
        __atomic_store_n(&disk_ring->req_prod,
                         round < 1000 || rnd() % 64 ? at + 1 + (unsigned int)rnd() % n
                                                    : (unsigned int)rnd(),
                         __ATOMIC_RELEASE);
        kick(disk_port);
        if (rnd() % 500 == 0) {
            write_number("device/vbd/51712/state", rnd() % 9);
        }
        sleep_ns(rnd() % 1000000);
    }
}

/* ---- nonsense to the store ---- */

/* A path that exists, one that does not, one that cannot. */
static char *bad_path(char *at)
{
    static const char *const some[] = {"device/vbd/51712/state",
                                       "device/vif/0/state",
                                       "data/x",
                                       "/local/domain/0/backend",
                                       "/local/domain/0/name",
                                       "/vm",
                                       "@releaseDomain",
                                       "/",
                                       "//",
                                       "data/",
                                       "control/shutdown",
                                       "/tool/xenstored",
                                       "/local/domain/1"};
    unsigned int i = (unsigned int)rnd() % 16;

    if (i < sizeof(some) / sizeof(some[0])) {
        return put_text(at, some[i]);
    }
    for (unsigned int n = (unsigned int)rnd() % 700; n; n--) {
        *at++ = (char)rnd();
    }
    *at = '\0';
    return at;
}

void neighbour_store(void)
{
    static char payload[4096];

    for (unsigned long round = 0;; round++) {
        char *at = bad_path(payload);
        unsigned int type = (unsigned int)rnd() % 28, n;

        at++;
        for (unsigned int i = (unsigned int)rnd() % 200; i; i--) {
            *at++ = (char)(rnd() % 3 ? '0' + rnd() % 10 : rnd());
        }
        n = (unsigned int)(at - payload);
        store_send(type, payload, rnd() % 5 ? n : (unsigned int)rnd() % 900);
        if (round % 50 == 0) {
            write_number("device/vbd/51712/state", rnd() % 10);
            store_write("device/vif/0/state", "garbage");
        }
        if (round % 1000 == 999) {
            say("neighbour: %lu messages", round + 1);
        }
    }
}

/* ---- quotas ---- */

/* Calls fn(i) until it fails; how often it worked. */
static unsigned long until_refused(long (*fn)(unsigned long i, char *why), char *why)
{
    unsigned long i = 0;

    while (i < 100000 && fn(i, why) >= 0) {
        i++;
    }
    return i;
}

static long one_node(unsigned long i, char *why)
{
    char payload[64], *at = put_decimal(put_text(payload, "data/n"), i) + 1;

    return store_call(XS_WRITE, 0, payload, (unsigned int)(put_text(at, "v") - payload), why, 64);
}

static long one_watch(unsigned long i, char *why)
{
    char payload[64], *at = put_text(payload, "data") + 1;

    at = put_decimal(at, i) + 1;
    return store_call(XS_WATCH, 0, payload, (unsigned int)(at - payload), why, 64);
}

static long one_transaction(unsigned long i, char *why)
{
    (void)i;
    return store_call(XS_TRANSACTION_START, 0, "", 1, why, 64);
}

static long one_large(unsigned long i, char *why)
{
    static char payload[4000];
    char *at = put_text(payload, "data/large") + 1;
    unsigned long n = 512 * (i + 1);

    if (n > sizeof(payload) - 20) {
        return -1;
    }
    memset(at, 'x', n);
    return store_call(XS_WRITE, 0, payload, (unsigned int)(at - payload + (long)n), why, 64);
}

void neighbour_quota(void)
{
    char why[64];

    for (;;) {
        unsigned long n = until_refused(one_transaction, why);

        say("quota: %lu transactions, then %s", n, why);
        n = until_refused(one_watch, why);
        say("quota: %lu watches, then %s", n, why);
        n = until_refused(one_large, why);
        say("quota: %lu large values, then %s", n, why);
        n = until_refused(one_node, why);
        say("quota: %lu nodes, then %s", n, why);
        for (unsigned int i = 0; i < 2000; i++) { /* watches fire on each of them */
            one_node(i % 100, why);
        }
    }
}
