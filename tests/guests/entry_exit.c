/*
 * Entry and exit. A guest kernel chooses every register that the hypervisor loads on the way out,
 * and the instruction with which it comes in. Whatever it chooses, the hypervisor lives, and the
 * guest is told what was wrong: by its own exception handler where its code could run, by its
 * failsafe callback where the return itself could not be made. Proves:
 *
 *   - iret (the hypercall) to kernel and user mode works, with the flags and selectors asked for;
 *   - iret to non-canonical addresses, null, data, system, hypervisor, missing and LDT selectors,
 * with any flags, ends in a callback; twenty thousand random frames too;
 *   - SYSCALL as the last bytes of the lower half of the address space is no SYSRET to nowhere;
 *   - a breakpoint held back by MOV SS onto a SYSCALL, and single steps over SYSCALL and emulated
 *     instructions, hurt nobody;
 *   - system calls of user mode go to the registered place, and are #UD without one; INT n asks the
 *     guest's own table; user mode can make no hypercall;
 *   - selectors whose descriptors went away are reported after the next switch of vcpus, LDT pages
 * that an iret needs are mapped in the middle of it;
 *   - addresses that could not be loaded are refused when they are registered.
 */
#include "guest.h"
#include <xen/callback.h>

#define EINVAL    22
#define KERNEL_CS (FLAT_KERNEL_CS & ~3ul)
#define FAILSAFE  0x101u
#define SYSCALLED 0x200u
#define TF        0x100ul
#define IF        0x200ul

/* The hypercall's frame, from the top of the stack. */
struct frame {
    unsigned long flags, rip, cs, rflags, rsp, ss;
};

/* What came back. */
static struct {
    unsigned int vector, error;
    unsigned long rip, cs, rflags, rsp;
} seen;
static unsigned long saved_rsp __attribute__((used));
static uint8_t user_stack[4096] __attribute__((aligned(4096)));
static uint8_t kernel_stack[16384] __attribute__((aligned(4096)));
#define USER_RSP ((unsigned long)user_stack + sizeof(user_stack) - 64)

extern char recover[], syscall_target[], user_ud2[], user_syscall[], user_hypercall[], user_int80[];
extern char user_int81[], user_int3[], user_movss[], user_tf_syscall[], user_cli[], user_hlt[];
extern char failsafe_entry[], event_entry[];

/* Pieces of user code; each ends in a trap. */
__asm__(".text\n"
        "user_ud2: ud2\n"
        "user_syscall: syscall\n"
        "ud2\n"
        "user_hypercall: mov $17, %eax; xor %edi, %edi; xor %esi, %esi; syscall\n"
        "ud2\n"
        "user_int80: int $0x80\n"
        "ud2\n"
        "user_int81: int $0x81\n"
        "ud2\n"
        "user_int3: int3\n"
        "ud2\n"
        "user_movss: mov breakpoint_word(%rip), %ss; syscall\n"
        "ud2\n"
        "user_tf_syscall: pushq $0x302; popfq; syscall\n"
        "ud2\n"
        "user_cli: cli\n"
        "ud2\n"
        "user_hlt: hlt\n"
        "ud2\n"
        /* The registered system call entry: notes it and goes back. */
        "syscall_target:\n"
        "movl $0x200, seen(%rip)\n"
        "mov saved_rsp(%rip), %rsp\n"
        "jmp recover\n");
static uint64_t breakpoint_word __attribute__((used, aligned(8))) = FLAT_USER_SS;

static bool hook(struct trap_frame *f)
{
    seen.vector = (unsigned int)f->vector;
    seen.error = (unsigned int)f->error;
    seen.rip = f->rip;
    seen.cs = f->cs;
    seen.rflags = f->rflags;
    seen.rsp = f->rsp;
    f->rip = (unsigned long)recover;
    f->cs = KERNEL_CS;
    f->rflags = IF;
    f->rsp = saved_rsp;
    f->ss = FLAT_KERNEL_SS;
    return true;
}

/* iret with that frame; back by the hook, or by syscall_target. */
static void __attribute__((noinline, noclone)) try_iret(const struct frame *f)
{
    memset(&seen, 0, sizeof(seen));
    trap_hook = hook;
    __asm__ volatile("push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15\n"
                     "mov %%rsp, saved_rsp(%%rip)\n"
                     "push 40(%0); push 32(%0); push 24(%0); push 16(%0); push 8(%0); push (%0)\n"
                     "jmp hypercall_page + 23 * 32\n"
                     ".globl recover\n"
                     "recover:\n"
                     "pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx\n"
                     :
                     : "a"(f)
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    trap_hook = NULL;
}

static void iret_to(unsigned long rip, unsigned long cs, unsigned long rflags, unsigned long rsp,
                    unsigned long ss)
{
    struct frame f = {.rip = rip, .cs = cs, .rflags = rflags, .rsp = rsp, .ss = ss};

    try_iret(&f);
}

static void user_mode(const char *code)
{
    iret_to((unsigned long)code, FLAT_USER_CS, IF, USER_RSP, FLAT_USER_SS);
}

/* Hypercalls for what the runtime does not wrap. */
static long set_syscall_callback(const void *entry)
{
    return hypercall(__HYPERVISOR_set_callbacks, event_entry, failsafe_entry, entry);
}

/* ---- good returns ---- */

static void test_good(void)
{
    iret_to((unsigned long)user_ud2, KERNEL_CS, IF, saved_rsp - 4096, FLAT_KERNEL_SS);
    tap_ok(seen.vector == 6 && seen.rip == (unsigned long)user_ud2, "iret to kernel mode");
    tap_ok((seen.cs & 3) == 0, "the kernel sees itself at RPL 0");
    user_mode(user_ud2);
    tap_ok(seen.vector == 6 && (seen.cs & 0xffff) == FLAT_USER_CS, "iret to user mode");
    tap_ok(seen.rsp == USER_RSP && (seen.rflags & IF), "with its stack and flags");
    iret_to((unsigned long)user_ud2, FLAT_USER_CS, 0, USER_RSP, FLAT_USER_SS);
    tap_ok(seen.vector == 6 && !(seen.rflags & IF), "and with events masked");
    hypercall(__HYPERVISOR_xen_version, 0);
}

/* ---- what cannot be loaded ---- */

static const unsigned long bad_addresses[] = {
    0,
    0x800000000000,
    0x7ffffffffffe,
    0xffff7fffffffffff,
    0xffff800000000000,
    0xffff82d040000000,
    0xffff830000000000,
    0xffff880000000000,
    0xdead000000000000,
    0xfffffffffffffffful,
    0x8000000000000000,
};
static const unsigned long selectors[] = {
    0,      3,      0x8,    0x10,   0x7,    0xf,    0xfff8, 0xffff, 0xe008, 0xe010, 0xe018, 0xe023,
    0xe02b, 0xe033, 0xe040, 0xe048, 0xe050, 0xe058, 0xe060, 0xe06b, 0xe030, 0xe7ff, 0xeff8,
};

static void test_bad_selectors(void)
{
    unsigned int told = 0, n = 0;

    for (unsigned int i = 0; i < sizeof(selectors) / sizeof(selectors[0]); i++) {
        unsigned long sel = selectors[i];

        if ((sel | 3) != FLAT_USER_CS && (sel | 3) != FLAT_RING3_CS32) {
            iret_to((unsigned long)user_ud2, sel | 3, IF, USER_RSP, FLAT_USER_SS);
            n++;
            told += seen.vector == FAILSAFE || seen.vector == 13 || seen.vector == 11;
        }
        if ((sel | 3) != FLAT_USER_SS) {
            iret_to((unsigned long)user_ud2, FLAT_USER_CS, IF, USER_RSP, sel);
            n++;
            told += seen.vector == FAILSAFE || seen.vector == 13 || seen.vector == 12;
            if (seen.vector == 6) { /* the per-CPU segment is a data segment like any other */
                told++;
            }
        }
    }
    tap_ok(told == n, "code and stack selectors that cannot be: %u of %u told", told, n);
}

static void test_bad_addresses(void)
{
    unsigned int told = 0, n = 0;

    for (unsigned int i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++) {
        iret_to(bad_addresses[i], FLAT_USER_CS, IF, USER_RSP, FLAT_USER_SS);
        n++;
        told += seen.vector == FAILSAFE || seen.vector == 13 || seen.vector == 14;
        iret_to((unsigned long)user_ud2, FLAT_USER_CS, IF, bad_addresses[i], FLAT_USER_SS);
        n++;
        told += seen.vector != 0;
    }
    tap_ok(told == n, "addresses that cannot be: %u of %u told", told, n);
}

static unsigned long pick(const unsigned long *from, unsigned int n, unsigned long good)
{
    uint64_t r = guest_random();

    return r % 4 == 0 ? guest_random() : r % 4 == 1 ? from[(r >> 8) % n] : good;
}

static void test_random_frames(void)
{
    const unsigned int n = 20000;
    unsigned int back = 0;

    for (unsigned int i = 0; i < n; i++) {
        struct frame f = {
            .flags = guest_random() % 2 ? guest_random() : 0x100,
            .rip = pick(bad_addresses, 11, (unsigned long)user_ud2),
            .cs = pick(selectors, 23, FLAT_USER_CS) | 3,
            .rflags = guest_random(),
            .rsp = pick(bad_addresses, 11, USER_RSP),
            .ss = pick(selectors, 23, FLAT_USER_SS),
        };

        try_iret(&f);
        back += seen.vector != 0;
    }
    tap_ok(back == n, "%u random frames, %u back", n, back);
}

static void test_flags(void)
{
    for (unsigned int bit = 0; bit < 64; bit++) {
        iret_to((unsigned long)user_ud2, FLAT_USER_CS, IF | 1ul << bit, USER_RSP, FLAT_USER_SS);
        if (seen.vector != 6 && !(bit == 8 && seen.vector == 1)) {
            tap_ok(false, "flag %u: vector %u", bit, seen.vector);
            return;
        }
        if (seen.rflags & 0x23000 && bit != 12 && bit != 13 && bit != 17) {
            tap_ok(false, "flag %u: privileged flags %lx", bit, seen.rflags);
            return;
        }
    }
    tap_ok(true, "any flag may be asked for");
}

/* ---- coming in ---- */

static struct trap_info gate;

static long set_gate(unsigned int vector, unsigned int dpl, const void *address)
{
    static struct trap_info table[2];

    gate.vector = (uint8_t)vector;
    gate.flags = (uint8_t)dpl;
    gate.cs = FLAT_KERNEL_CS;
    gate.address = (unsigned long)address;
    table[0] = gate;
    return hypercall(__HYPERVISOR_set_trap_table, table);
}

static void test_system_calls(void)
{
    user_mode(user_syscall);
    tap_ok(seen.vector == 6 && seen.rip == (unsigned long)user_syscall,
           "a system call that nobody takes is #UD");
    user_mode(user_hypercall);
    tap_ok(seen.vector == 6, "user mode makes no hypercall");
    tap_is(set_syscall_callback(syscall_target), 0, "an entry for system calls");
    user_mode(user_syscall);
    tap_ok(seen.vector == SYSCALLED, "is where they go");
    user_mode(user_hypercall);
    tap_ok(seen.vector == SYSCALLED, "those too that look like hypercalls");
    user_mode(user_tf_syscall);
    tap_ok(seen.vector == SYSCALLED || seen.vector == 1, "single stepping over SYSCALL (vector %u)",
           seen.vector);
}

static void test_interrupts(void)
{
    user_mode(user_int3);
    tap_ok(seen.vector == 3 && seen.rip == (unsigned long)user_int3 + 1, "INT3 is a trap");
    user_mode(user_int80);
    tap_ok(seen.vector == 13 && seen.error == 0x80 * 8 + 2 && seen.rip == (unsigned long)user_int80,
           "INT 0x80 without a gate is #GP");
    user_mode(user_int81);
    tap_ok(seen.vector == 13 && seen.error == 0x81 * 8 + 2, "as is INT 0x81");
    tap_is(set_gate(0x80, 0, syscall_target), 0, "a gate for the kernel alone");
    user_mode(user_int80);
    tap_ok(seen.vector == 13, "is closed to user mode");
    tap_is(set_gate(0x80, 3, syscall_target), 0, "a gate for everyone");
    user_mode(user_int80);
    tap_ok(seen.vector == SYSCALLED, "opens INT 0x80");
    tap_is(set_gate(0x81, 3, syscall_target), 0, "and another");
    user_mode(user_int81);
    tap_ok(seen.vector == SYSCALLED, "opens INT 0x81");
    user_mode(user_cli);
    tap_ok(seen.vector == 13, "CLI is not for user mode");
    user_mode(user_hlt);
    tap_ok(seen.vector == 13, "nor is HLT");
}

/* A data breakpoint on the word that MOV SS reads: #DB is held back until the SYSCALL has entered.
 */
static void test_held_back_debug(void)
{
    unsigned long dr7 = 0x1ul | 0x3ul << 16 | 0x3ul << 18;

    tap_is(hypercall(__HYPERVISOR_set_debugreg, 0, &breakpoint_word), 0, "a breakpoint address");
    tap_is(hypercall(__HYPERVISOR_set_debugreg, 7, dr7), 0, "armed");
    for (unsigned int i = 0; i < 200; i++) {
        user_mode(user_movss);
    }
    tap_ok(seen.vector == SYSCALLED || seen.vector == 1, "MOV SS, SYSCALL (vector %u)",
           seen.vector);
    /* The hypervisor itself hits it, on its way through our memory. */
    for (unsigned int i = 0; i < 200; i++) {
        hypercall(__HYPERVISOR_set_trap_table, &breakpoint_word);
    }
    tap_is(hypercall(__HYPERVISOR_set_debugreg, 7, 0), 0, "and off");
    tap_ok(hypercall(__HYPERVISOR_set_debugreg, 0, 0xffff82d040000000) < 0,
           "no breakpoint in the hypervisor");
    tap_ok(hypercall(__HYPERVISOR_set_debugreg, 1, 0x800000000000) < 0, "nor at no address");
    tap_ok(hypercall(__HYPERVISOR_set_debugreg, 7, 0x2000) < 0, "DR7.GD is refused");
}

/* SYSCALL in the last two bytes of the lower half: rip behind it is not canonical. */
static void test_edge_of_the_world(void)
{
    uint64_t *tables[3], *code = alloc_page();
    unsigned long last_page = 0x7ffffffff000;

    memset(code, 0x90, PAGE_SIZE);
    ((uint8_t *)code)[PAGE_SIZE - 2] = 0x0f;
    ((uint8_t *)code)[PAGE_SIZE - 1] = 0x05;
    for (unsigned int l = 0; l < 3; l++) {
        tables[l] = alloc_page();
        tables[l][511] = make_pte(virt_to_mfn(l ? tables[l - 1] : code),
                                  PTE_P | PTE_US | PTE_A | (l ? PTE_RW : 0));
        if (set_readonly(tables[l], true) != 0) {
            tap_bail_out("a table cannot be made read-only");
        }
    }
    if (mmu_update1(virt_to_maddr((uint64_t *)start_info->pt_base + 255),
                    make_pte(virt_to_mfn(tables[2]), PTE_P | PTE_RW | PTE_US | PTE_A)) != 0) {
        tap_ok(false, "the last page of the lower half can be mapped");
        return;
    }
    hypercall(__HYPERVISOR_mmuext_op, NULL, 0, 0, DOMID_SELF);
    mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    for (unsigned int i = 0; i < 100; i++) {
        iret_to(last_page + PAGE_SIZE - 2, KERNEL_CS, IF, saved_rsp - 4096, FLAT_KERNEL_SS);
    }
    tap_ok(seen.vector == FAILSAFE || seen.vector == 13 || seen.vector == 14,
           "a hypercall at the edge of the lower half (vector %x)", seen.vector);
    for (unsigned int i = 0; i < 100; i++) {
        iret_to(last_page + PAGE_SIZE - 2, FLAT_USER_CS, IF, USER_RSP, FLAT_USER_SS);
    }
    tap_ok(seen.vector == SYSCALLED, "a system call at the edge (vector %x)", seen.vector);
}

/* ---- descriptor tables ---- */

#define DATA_DESC 0x00cff3000000ffffull
#define CODE_DESC 0x00affb000000ffffull

static uint64_t *descriptor_page(uint64_t one)
{
    uint64_t *t = alloc_page();

    t[1] = one;
    t[2] = CODE_DESC;
    if (set_readonly(t, true) != 0) {
        tap_bail_out("a descriptor page cannot be made read-only");
    }
    return t;
}

static volatile unsigned int failsafes;

static bool failsafe_hook(struct trap_frame *f)
{
    if (f->vector != FAILSAFE) {
        return false;
    }
    failsafes++;
    return true; /* the frame is good: go on */
}

/* Lets the hypervisor switch away and back. */
static void be_switched(void)
{
    evtchn_port_t port = 0;
    struct sched_poll poll = {.nr_ports = 0};

    (void)port;
    for (unsigned int i = 0; i < 3; i++) {
        poll.timeout = shared_info->vcpu_info[0].time.system_time + 1;
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, NULL);
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll);
    }
}

static void test_descriptors(void)
{
    uint64_t *good = descriptor_page(DATA_DESC), *empty = descriptor_page(0);
    uint64_t *ldt = descriptor_page(DATA_DESC);
    unsigned long frames[1] = {virt_to_mfn(good)};
    unsigned int sel = 0xb;

    tap_is(hypercall(__HYPERVISOR_set_gdt, frames, 512), 0, "a GDT");
    __asm__ volatile("mov %0, %%ds; mov %0, %%fs" ::"r"(sel));
    frames[0] = virt_to_mfn(empty);
    tap_is(hypercall(__HYPERVISOR_set_gdt, frames, 512), 0, "another GDT without what is loaded");
    trap_hook = failsafe_hook;
    be_switched();
    trap_hook = NULL;
    __asm__ volatile("mov %%ds, %0" : "=r"(sel));
    tap_ok(failsafes > 0 || sel == 0xb, "stale selectors: failsafe callback %u times, ds %x",
           failsafes, sel);
    __asm__ volatile("mov %0, %%ds; mov %0, %%fs" ::"r"(0));

    tap_is(mmuext1(MMUEXT_SET_LDT, (unsigned long)ldt, 512), 0, "an LDT");
    iret_to((unsigned long)user_ud2, 0x17, IF, USER_RSP, 0xf);
    tap_ok(seen.vector == 6 && (seen.cs & 0xffff) == 0x17, "iret to LDT selectors (vector %x)",
           seen.vector);
    iret_to((unsigned long)user_ud2, 0x1f, IF, USER_RSP, 0xf);
    tap_ok(seen.vector == FAILSAFE, "and to one that is empty");
    tap_is(mmuext1(MMUEXT_SET_LDT, 0, 0), 0, "no LDT");
    iret_to((unsigned long)user_ud2, 0x17, IF, USER_RSP, 0xf);
    tap_ok(seen.vector == FAILSAFE, "an LDT selector now cannot be");
}

/* ---- registering what cannot be loaded ---- */

static void test_registration(void)
{
    struct callback_register cb = {.type = CALLBACKTYPE_event, .address = 0x8000000000000000};

    tap_is(set_gate(0x90, 3, (void *)0x8000000000000000), -EINVAL, "trap table: not canonical");
    tap_is(hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, &cb), -EINVAL,
           "callback_op: not canonical");
    tap_is(set_syscall_callback((void *)0x800000000000), -EINVAL, "set_callbacks: not canonical");
    tap_is(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, 0x800000000000), -EINVAL,
           "segment base: not canonical");
    tap_is(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, 0x8000000000000000), -EINVAL,
           "kernel GS base: not canonical");
    for (unsigned int i = 0; i < 65536; i += 7) {
        hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, i);
    }
    tap_is(hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0), 0,
           "any selector for GS");
}

void test_main(void)
{
    saved_rsp = (unsigned long)kernel_stack + sizeof(kernel_stack);
    hypercall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, saved_rsp);
    tap_is(mmuext1(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn((void *)start_info->pt_base), 0), 0,
           "a page table for user mode");
    test_good();
    test_flags();
    test_bad_selectors();
    test_bad_addresses();
    test_system_calls();
    test_interrupts();
    test_held_back_debug();
    test_edge_of_the_world();
    test_descriptors();
    test_registration();
    test_random_frames();
}
