/*
 * What a para-virtualised kernel pays for the hypervisor: each operation many times, the time stamp
 * counter around it. Under -icount the counter counts instructions, so the numbers are exact; the
 * same file runs on Xen (bench/run prints both). A line is "bench NAME TICKS", for one operation.
 */
#include "guest.h"
#include <xen/callback.h>
#include <xen/physdev.h>
#include <xen/version.h>

#define PTE_PAGE (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}

/* Runs fn n times, after a few that are not counted, and prints the mean; each call did `per`
 * operations. */
static void measure(const char *name, void (*fn)(void), unsigned int n, unsigned int per)
{
    uint64_t start, ticks;

    for (unsigned int i = 0; i < 8; i++) {
        fn();
    }
    start = rdtsc();
    for (unsigned int i = 0; i < n; i++) {
        fn();
    }
    ticks = (rdtsc() - start) * 10 / n / per;
    print("bench %s %lu.%lu\n", name, ticks / 10, ticks % 10);
}

/* ---- hypercalls and events ---- */

static void null_hypercall(void)
{
    (void)hypercall(__HYPERVISOR_xen_version, XENVER_version, 0);
}

static evtchn_port_t ipi;
static volatile unsigned long delivered;

static void clear_event(void)
{
    shared_info->vcpu_info[0].evtchn_upcall_pending = 0;
    shared_info->vcpu_info[0].evtchn_pending_sel = 0;
    shared_info->evtchn_pending[ipi / 64] = 0;
}

static void on_event(void)
{
    clear_event();
    delivered++;
}

static void event_send(void)
{
    struct evtchn_send op = {.port = ipi};

    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &op);
}

static void event_send_masked(void)
{
    event_send();
    clear_event();
}

static void measure_events(void)
{
    struct evtchn_bind_ipi bind = {.vcpu = 0};

    tap_is(hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, &bind), 0, "an IPI port");
    ipi = bind.port;
    shared_info->evtchn_mask[ipi / 64] |= 1ul << (ipi % 64);
    measure("event_send", event_send_masked, 1000, 1);
    event_hook = on_event;
    shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    shared_info->evtchn_mask[ipi / 64] &= ~(1ul << (ipi % 64));
    measure("event_send_and_delivery", event_send, 1000, 1);
    tap_ok(delivered >= 1000, "each event was delivered");
}

/* ---- page tables ---- */

static char *va;
static uint64_t two_ptes[2], maddr_of_pte;
static unsigned int turn;
static void *table;

static void va_mapping(void)
{
    (void)hypercall(__HYPERVISOR_update_va_mapping, va, two_ptes[turn++ & 1],
                    UVMF_INVLPG | UVMF_LOCAL);
}

static void mmu_single(void)
{
    (void)mmu_update1(maddr_of_pte | MMU_NORMAL_PT_UPDATE, two_ptes[turn++ & 1]);
}

#define BATCH 32u
static struct mmu_update batch[BATCH];

static void mmu_batch(void)
{
    for (unsigned int i = 0; i < BATCH; i++) {
        batch[i].ptr = maddr_of_pte | MMU_NORMAL_PT_UPDATE;
        batch[i].val = two_ptes[i & 1];
    }
    (void)hypercall(__HYPERVISOR_mmu_update, batch, BATCH, 0, DOMID_SELF);
}

static void pin_unpin(void)
{
    (void)mmuext1(MMUEXT_PIN_L1_TABLE, virt_to_mfn(table), 0);
    (void)mmuext1(MMUEXT_UNPIN_TABLE, virt_to_mfn(table), 0);
}

static void emulated_write(void)
{
    *(volatile uint64_t *)pte_of(va, 1) = two_ptes[turn++ & 1];
}

static void measure_page_tables(void)
{
    void *other = alloc_page();

    va = alloc_page();
    table = alloc_page();
    two_ptes[0] = make_pte(virt_to_mfn(va), PTE_PAGE);
    two_ptes[1] = make_pte(virt_to_mfn(other), PTE_PAGE);
    maddr_of_pte = PTE_MFN(*pte_of(va, 2)) << 12 | ((unsigned long)pte_of(va, 1) & 0xff8);
    tap_is(mmu_update1(maddr_of_pte | MMU_NORMAL_PT_UPDATE, two_ptes[1]), 0, "an entry changes");
    measure("update_va_mapping", va_mapping, 1000, 1);
    measure("mmu_update", mmu_single, 1000, 1);
    measure("mmu_update_batched", mmu_batch, 200, BATCH);
    tap_is(set_readonly(table, true), 0, "a read-only page");
    measure("pin_and_unpin", pin_unpin, 500, 1);
    measure("emulated_write", emulated_write, 1000, 1);
}

/* ---- traps and privileged instructions ---- */

static void page_fault(void)
{
    uint64_t v;

    (void)probe_read((void *)0x123456789000, &v);
}

static void forced_cpuid(void)
{
    uint32_t a = 1, b, c = 0, d;

    __asm__ volatile("ud2; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void read_msr(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000080));
}

static void read_port(void)
{
    uint8_t v;

    __asm__ volatile("inb $0x84, %0" : "=a"(v));
}

static void measure_traps(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};

    measure("page_fault_bounced", page_fault, 1000, 1);
    measure("cpuid", forced_cpuid, 1000, 1);
    measure("rdmsr", read_msr, 1000, 1);
    tap_is(hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &iopl), 0, "ports are ours");
    measure("port_read", read_port, 1000, 1);
}

/* ---- time and scheduling ---- */

static void set_timer(void)
{
    (void)hypercall(__HYPERVISOR_set_timer_op,
                    shared_info->vcpu_info[0].time.system_time + (1ul << 50));
}

static void yield(void)
{
    (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

static void other_vcpu(void)
{
}

static void measure_scheduling(void)
{
    measure("set_timer", set_timer, 1000, 1);
    (void)hypercall(__HYPERVISOR_set_timer_op, 0);
    measure("yield_alone", yield, 1000, 1);
    if (start_vcpu(1, other_vcpu) == 0) { /* it yields for ever: each yield is two switches */
        measure("context_switch", yield, 1000, 2);
    }
}

/* ---- grants ---- */

static grant_entry_v1_t *grants;
static char *window, *granted;

static void map_and_unmap(void)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = (unsigned long)window, .flags = GNTMAP_host_map, .ref = 20, .dom = 0};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (unsigned long)window};

    (void)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map, 1);
    unmap.handle = map.handle;
    (void)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1);
}

static unsigned int copy_bytes;

static void copy(void)
{
    struct gnttab_copy op = {.source = {.u.ref = 20, .domid = 0},
                             .dest = {.u.gmfn = virt_to_mfn(va), .domid = DOMID_SELF},
                             .len = (uint16_t)copy_bytes,
                             .flags = GNTCOPY_source_gref};

    (void)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy, &op, 1);
}

static void measure_grants(void)
{
    xen_pfn_t frame = 0;
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    struct gnttab_map_grant_ref map = {.flags = GNTMAP_host_map, .ref = 20, .dom = 0};

    set_xen_guest_handle(setup.frame_list, &frame);
    tap_ok(hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1) == 0 &&
               setup.status == GNTST_okay,
           "a grant table");
    grants = alloc_page();
    tap_is(remap(grants, make_pte(frame, PTE_PAGE)), 0, "is mapped");
    granted = alloc_page();
    window = alloc_page();
    tap_is(remap(va, two_ptes[0]), 0, "the copy's target is in place");
    tap_is(remap(window, 0), 0, "the window is empty");
    grants[20].domid = 0;
    grants[20].frame = (uint32_t)virt_to_mfn(granted);
    grants[20].flags = GTF_permit_access;
    map.host_addr = (unsigned long)window;
    (void)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map, 1);
    tap_is(map.status, GNTST_okay, "a grant is mapped");
    if (map.status == GNTST_okay) {
        struct gnttab_unmap_grant_ref unmap = {.host_addr = map.host_addr, .handle = map.handle};

        (void)hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &unmap, 1);
        tap_is(unmap.status, GNTST_okay, "and unmapped");
        measure("grant_map_and_unmap", map_and_unmap, 500, 1);
    }
    copy_bytes = 64;
    measure("grant_copy_64", copy, 500, 1);
    copy_bytes = 4096;
    measure("grant_copy_4096", copy, 500, 1);
}

/* ---- a process's system call: SYSCALL in user mode, the kernel's callback, iret back ---- */

extern char bench_user[], bench_syscall_entry[];
long bench_enter_user(unsigned long rounds, void *user_stack);
static char kernel_stack[PAGE_SIZE] __attribute__((aligned(16)));

static void measure_system_call(void)
{
    struct callback_register reg = {.type = CALLBACKTYPE_syscall,
                                    .address = (unsigned long)bench_syscall_entry};
    static char user_stack[256] __attribute__((aligned(16)));
    uint64_t start, ticks;
    unsigned long rounds = 1000;

    if (hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &reg) ||
        hypercall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, kernel_stack + sizeof(kernel_stack)) ||
        mmuext1(MMUEXT_NEW_USER_BASEPTR,
                start_info->pt_base ? virt_to_mfn((void *)start_info->pt_base) : 0, 0)) {
        tap_ok(false, "user mode is set up");
        return;
    }
    bench_enter_user(8, user_stack + sizeof(user_stack));
    start = rdtsc();
    bench_enter_user(rounds, user_stack + sizeof(user_stack));
    ticks = (rdtsc() - start) * 10 / rounds;
    print("bench system_call %lu.%lu\n", ticks / 10, ticks % 10);
}

void test_main(void)
{
    print("bench boot_to_kernel %lu\n", rdtsc());
    measure("null_hypercall", null_hypercall, 1000, 1);
    measure_events();
    measure_page_tables();
    measure_traps();
    measure_grants();
    measure_system_call();
    measure_scheduling();
}
