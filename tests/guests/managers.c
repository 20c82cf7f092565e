/*
 * What a careless Domain 0 does to a domain that is half made or half gone. Proves that these end
 * in errors and not in the hypervisor's end:
 *
 *   - two vcpus destroy the same domain at the same time: all its memory comes back, once;
 *   - an event is sent to a domain that has no vcpus yet;
 *   - the context of a vcpu that has one is replaced by one in user mode, without a table for it.
 */
#include "control.h"

#define PAGES  3000u
#define ROUNDS 30u
#define ID     SECOND_DOMAIN

static unsigned long frames[PAGES];
static volatile unsigned int round_nr, done_nr, stop;

static void other_vcpu(void)
{
    unsigned int seen = 0;

    while (!stop) {
        if (round_nr == seen) {
            pause_cpu();
            continue;
        }
        seen = round_nr;
        (void)destroy_second_domain();
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

void test_main(void)
{
    test_event_without_vcpu();
    for (unsigned int n = 0; n < 1000; n++) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
    }
    test_context();
    if (start_vcpu(1, other_vcpu) != 0) {
        tap_bail_out("no second vcpu");
    }
    test_two_destroy();
    stop = 1;
    while (done_nr != ~0u) {
        pause_cpu();
    }
}
