/*
 * MOV to CR3 that is preempted. Two large trees of page tables are made the base in turn by the
 * privileged instruction, so that each switch validates one tree and drops the other, under a
 * one-millisecond timer whose event handler switches to a third base in the middle of it. Proves
 * that an instruction that was interrupted half done and never made again harms nobody: the next
 * switch works, and all tables are data again in the end. A tree that does not validate, so that
 * the hypervisor must take back what it has done, is refused each time.
 */
#include "guest.h"
#include <xen/errno.h>

#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define L1_TABLES   64u
#define ROUNDS      200u

struct tree {
    uint64_t *l4, *l3, *l2, *l1[L1_TABLES];
};

static struct tree trees[2];
static unsigned int handler_switches, faults;

static bool switch_to(const void *l4)
{
    last_fault.happened = false;
    __asm__ volatile("1: mov %[cr3], %%cr3\n2:\n" GUEST_EX(1b, 2b)
                     :
                     : [cr3] "r"(virt_to_mfn(l4) << 12)
                     : "memory");
    return !last_fault.happened;
}

static const void *first_base(void)
{
    return (const void *)start_info->pt_base;
}

/* The kernel's own part is that of the first base; the rest of the tree is nobody else's. */
static void make_tree(struct tree *t, uint64_t data)
{
    long rc = 0;

    t->l4 = alloc_page();
    t->l3 = alloc_page();
    t->l2 = alloc_page();
    memcpy(t->l4, first_base(), PAGE_SIZE);
    for (unsigned int i = 0; i < L1_TABLES; i++) {
        t->l1[i] = alloc_page();
        for (unsigned int j = 0; j < 512; j++) {
            t->l1[i][j] = data;
        }
        t->l2[i * 8] = make_pte(virt_to_mfn(t->l1[i]), TABLE_FLAGS);
        rc |= set_readonly(t->l1[i], true);
    }
    t->l3[100] = make_pte(virt_to_mfn(t->l2), TABLE_FLAGS);
    t->l4[50] = make_pte(virt_to_mfn(t->l3), TABLE_FLAGS);
    rc |= set_readonly(t->l2, true) | set_readonly(t->l3, true) | set_readonly(t->l4, true);
    if (rc != 0) {
        tap_bail_out("the tree cannot be made read-only");
    }
}

static void on_event(void)
{
    struct vcpu_info *v = &shared_info->vcpu_info[0];
    struct fault interrupted = last_fault;

    v->evtchn_upcall_pending = 0;
    v->evtchn_pending_sel = 0;
    for (unsigned int i = 0; i < 64; i++) {
        shared_info->evtchn_pending[i] = 0;
    }
    handler_switches += switch_to(first_base());
    last_fault = interrupted;
}

static void start_timer(bool on)
{
    struct vcpu_set_periodic_timer t = {.period_ns = 1000000};
    struct evtchn_bind_virq bind = {.virq = VIRQ_TIMER};

    if (on) {
        if (hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &bind) != 0) {
            tap_bail_out("no timer event");
        }
        event_hook = on_event;
        shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    }
    hypercall(__HYPERVISOR_vcpu_op, on ? VCPUOP_set_periodic_timer : VCPUOP_stop_periodic_timer, 0,
              on ? &t : NULL);
}

static void test_switches(void)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        faults += !switch_to(trees[i % 2].l4);
    }
    tap_is(faults, 0, "the base is switched between large trees under a timer");
    tap_ok(handler_switches > 0, "whose handler switched it, too (%u times)", handler_switches);
    tap_ok(switch_to(first_base()), "and back");
}

/* The last entry of the last table is no frame of ours. */
static void test_refused(void)
{
    uint64_t *last = trees[0].l1[L1_TABLES - 1], good = last[511];
    unsigned int accepted = 0;

    set_readonly(last, false);
    last[511] = make_pte(0x200, TABLE_FLAGS);
    set_readonly(last, true);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        accepted += switch_to(trees[0].l4);
        accepted += switch_to(trees[0].l4);
        faults += !switch_to(first_base());
    }
    tap_is(accepted, 0, "a tree with one wrong entry at its end is refused");
    tap_is(faults, 0, "and other bases are not");
    set_readonly(last, false);
    last[511] = good;
    set_readonly(last, true);
}

/* The number that stands for no frame is no base: not by hypercall, not by the instruction, not for
 * a new vcpu. */
static void test_no_frame(void)
{
    static struct vcpu_guest_context context;
    struct mmuext_op op = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = ~0ul};

    tap_is(hypercall(__HYPERVISOR_mmuext_op, &op, 1, NULL, DOMID_SELF), -XEN_EINVAL,
           "a base that is no frame is refused");
    last_fault.happened = false;
    __asm__ volatile("1: mov %[cr3], %%cr3\n2:\n" GUEST_EX(1b, 2b)::[cr3] "r"(~0ul) : "memory");
    tap_ok(last_fault.happened, "so is MOV to CR3");
    context.flags = VGCF_in_kernel;
    context.ctrlreg[3] = ~0ul;
    tap_is(hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, &context), -XEN_EINVAL,
           "and a vcpu that would begin so");
}

void test_main(void)
{
    uint64_t data = make_pte(virt_to_mfn(alloc_page()), TABLE_FLAGS);
    bool free = true;

    make_tree(&trees[0], data);
    make_tree(&trees[1], data);
    start_timer(true);
    test_switches();
    test_refused();
    test_no_frame();
    start_timer(false);
    for (unsigned int n = 0; n < 2; n++) {
        for (unsigned int i = 0; i < L1_TABLES; i++) {
            free &= set_readonly(trees[n].l1[i], false) == 0;
        }
        free &= set_readonly(trees[n].l2, false) == 0 && set_readonly(trees[n].l3, false) == 0 &&
                set_readonly(trees[n].l4, false) == 0;
    }
    tap_ok(free, "every table is data again");
}
