/*
 * What a careless Domain 0 does to a domain that is half made or half gone. Proves that these end
 * in errors and not in the hypervisor's end:
 *
 *   - two vcpus destroy the same domain at the same time: all its memory comes back, once;
 *   - an event is sent to a domain that has no vcpus yet;
 *   - the context of a vcpu that has one is replaced by one in user mode, without a table for it;
 *   - a domain that is dead but for a frame that somebody has mapped gets contexts, interrupts and
 *     virqs: none of it keeps it, and nothing that it was told is left over;
 *   - interrupts are mapped for a domain and unmapped while another vcpu destroys it;
 *   - a list of debug keys that is longer than a time slice is preempted.
 */
#include "control.h"
#include <xen/physdev.h>

#define PAGES  3000u
#define ROUNDS 30u
#define ID     SECOND_DOMAIN

static unsigned long frames[PAGES];
static volatile unsigned int round_nr, done_nr, stop;
static volatile bool other_maps; /* the other vcpu maps interrupts, too */

/* A line that nobody uses, for the second domain. */
static long map_line(int line)
{
    struct physdev_map_pirq map = {
        .domid = ID, .type = MAP_PIRQ_TYPE_GSI, .index = line, .pirq = line};

    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &map);
}

static long unmap_line(int line)
{
    struct physdev_unmap_pirq unmap = {.domid = ID, .pirq = line};

    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_unmap_pirq, &unmap);
}

static void other_vcpu(void)
{
    unsigned int seen = 0;

    while (!stop) {
        if (round_nr == seen) {
            pause_cpu();
            continue;
        }
        seen = round_nr;
        if (other_maps) {
            for (int n = 0; n < 200; n++) {
                (void)map_line(17 + n % 4);
                (void)unmap_line(17 + (n + 1) % 4);
            }
        } else {
            (void)destroy_second_domain();
        }
        __atomic_store_n(&done_nr, seen, __ATOMIC_SEQ_CST);
    }
    done_nr = ~0u;
}

static void test_two_destroy(void)
{
    unsigned long before = 0;
    unsigned int wrong = 0, i;
    long rc;

    for (i = 0; i < ROUNDS; i++) {
        create_second_domain(2, frames, PAGES, 0);
        __atomic_store_n(&round_nr, round_nr + 1, __ATOMIC_SEQ_CST);
        rc = destroy_second_domain();
        wrong += rc != 0 && rc != -3 /* ESRCH */;
        while (done_nr != round_nr) {
            pause_cpu();
        }
        /* Its number is free again when every CPU has been quiet. */
        for (unsigned int n = 0; n < 1000; n++) {
            hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
        }
        before = i == 0 ? free_pages() : before;
    }
    tap_is(i, ROUNDS, "a domain destroyed by two vcpus at once is gone");
    tap_is(wrong, 0, "as each of them is told");
    tap_ok(free_pages() + 16 >= before, "with all its memory (%ld pages lost)",
           (long)(before - free_pages()));
}

static void test_event_without_vcpu(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = ID, .remote_dom = 0};
    struct evtchn_bind_interdomain bind = {.remote_dom = ID};
    struct evtchn_send send;
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = ID;
    op.u.createdomain.max_vcpus = 1;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 4;
    op.u.createdomain.max_maptrack_frames = 4;
    op.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(2);
    tap_is(domctl(&op, XEN_DOMCTL_createdomain), 0, "a domain without vcpus");
    tap_is(hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc), 0,
           "has an event channel");
    bind.remote_port = alloc.port;
    tap_is(hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind), 0, "to us");
    send.port = bind.local_port;
    tap_is(hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send), 0, "and takes an event");
    tap_is(destroy_second_domain(), 0, "and is destroyed");
}

static void test_interrupts_while_dying(void)
{
    unsigned long before = 0;
    long lost = 0;

    other_maps = true;
    for (unsigned int i = 0; i < ROUNDS; i++) {
        create_second_domain(1, frames, 16, 0);
        __atomic_store_n(&round_nr, round_nr + 1, __ATOMIC_SEQ_CST);
        for (unsigned int n = 0; n < i * 100; n++) {
            pause_cpu();
        }
        (void)destroy_second_domain();
        while (done_nr != round_nr) {
            pause_cpu();
        }
        if (i == 0) {
            (void)pages_lost(~0ul);
            before = free_pages();
        }
        lost += pages_lost(before);
    }
    tap_is(lost, 0, "interrupts mapped for a domain while it dies leave nothing behind");
}

static long set_context(struct vcpu_guest_context *c)
{
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = ID;
    op.u.vcpucontext.ctxt.p = c;
    return domctl(&op, XEN_DOMCTL_setvcpucontext);
}

static long foreign_ext(unsigned int cmd, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = cmd};

    op.arg1.mfn = mfn;
    return hypercall(__HYPERVISOR_mmuext_op, &op, 1, 0, ID);
}

static void test_context(void)
{
    static struct vcpu_guest_context c;
    struct xen_domctl op;

    create_second_domain(1, frames, 4, 0);
    tap_ok(foreign_ext(MMUEXT_CLEAR_PAGE, frames[0]) == 0 &&
               foreign_ext(MMUEXT_CLEAR_PAGE, frames[1]) == 0,
           "a domain with empty page tables");
    c.flags = VGCF_IN_KERNEL | VGCF_online;
    c.user_regs.rip = 0x1000;
    c.ctrlreg[3] = frames[0] << 12;
    tap_is(set_context(&c), 0, "has a context in kernel mode");
    c.flags = VGCF_online;
    c.ctrlreg[1] = frames[1] << 12;
    tap_ok(set_context(&c) != 0, "and cannot change to user mode, which has no table");
    c.ctrlreg[1] = 0;
    tap_ok(set_context(&c) != 0, "nor without naming one");
    memset(&op, 0, sizeof(op));
    op.domain = ID;
    tap_is(domctl(&op, XEN_DOMCTL_unpausedomain), 0, "it is let go, to its end");
    for (unsigned int n = 0; n < 1000; n++) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
    }
    tap_is(destroy_second_domain(), 0, "and destroyed");
}

static long set_big_memory_map(void)
{
    static char entries[128 * 20]; /* struct e820entry of PCs: 20 bytes */
    struct xen_foreign_memory_map m = {.domid = ID};

    m.map.nr_entries = 128;
    m.map.buffer.p = entries;
    return hypercall(__HYPERVISOR_memory_op, XENMEM_set_memory_map, &m);
}

static long handle_virq(void)
{
    struct xen_domctl op;

    memset(&op, 0, sizeof(op));
    op.domain = ID;
    op.u.set_virq_handler.virq = VIRQ_CON_RING;
    return domctl(&op, XEN_DOMCTL_set_virq_handler);
}

/* It lives as long as we have one of its frames mapped. */
static void test_dead(void)
{
    static struct vcpu_guest_context c;
    uint64_t *window = alloc_page(), pte = *pte_of(window, 1);
    unsigned long before = 0;
    long lost = 0, set = 0, gave = 0;

    for (unsigned int i = 0; i < 4; i++) {
        create_second_domain(1, frames, 4, 0);
        set += foreign_ext(MMUEXT_CLEAR_PAGE, frames[0]) != 0;
        set += map_foreign(window, make_pte(frames[0], PTE_P | PTE_US | PTE_A), ID) != 0;
        set += set_big_memory_map() != 0;
        set += handle_virq() != 0;
        set += destroy_second_domain() != 0;
        c.flags = VGCF_IN_KERNEL;
        c.user_regs.rip = 0x1000;
        c.ctrlreg[3] = frames[0] << 12;
        gave += set_context(&c) == 0;
        gave += handle_virq() == 0;
        gave += map_line(17) == 0;
        set += remap(window, pte) != 0;
        if (i == 0) {
            (void)pages_lost(~0ul);
            before = free_pages();
        }
        lost += pages_lost(before);
    }
    tap_is(set, 0, "a domain is dead but for a frame that we have mapped");
    tap_is(gave, 0, "and gets neither a context nor virqs nor interrupts any more");
    tap_is(lost, 0, "and leaves nothing behind");
}

/* Keys without meaning, and a timer of a millisecond. */
static void test_many_keys(void)
{
    static char keys[60000];
    struct vcpu_set_periodic_timer timer = {.period_ns = 1000000};
    struct xen_sysctl s;

    memset(&s, 0, sizeof(s));
    s.cmd = XEN_SYSCTL_debug_keys;
    s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    s.u.debug_keys.keys.p = keys;
    s.u.debug_keys.nr_keys = sizeof(keys);
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, &timer);
    tap_is(hypercall(__HYPERVISOR_sysctl, &s), 0, "a long list of debug keys");
    hypercall(__HYPERVISOR_vcpu_op, VCPUOP_stop_periodic_timer, 0, NULL);
    tap_ok(s.u.debug_keys.nr_keys < sizeof(keys), "is preempted, and goes on with the rest (%u)",
           s.u.debug_keys.nr_keys);
}

void test_main(void)
{
    test_many_keys();
    test_dead();
    test_event_without_vcpu();
    for (unsigned int n = 0; n < 1000; n++) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
    }
    test_context();
    if (start_vcpu(1, other_vcpu) != 0) {
        tap_bail_out("no second vcpu");
    }
    test_two_destroy();
    test_interrupts_while_dying();
    stop = 1;
    while (done_nr != ~0u) {
        pause_cpu();
    }
}
