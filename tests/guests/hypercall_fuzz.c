/*
 * Hypercalls with arguments that nobody would give: random words, addresses of the hypervisor, of
 * nothing, of read-only and of half-mapped memory, small numbers, and structures in memory full of
 * the same. No combination may take the hypervisor down, hang it, or change this kernel's own code,
 * stack and tables; between batches the kernel looks whether it is still itself. Option n=COUNT:
 * how many (default 300000).
 *
 * Left out are the calls whose success is this kernel's end: shutdown, going down, blocking for
 * ever, iret, and what Domain 0 may rightly do to the machine (platform_op, domctl, sysctl and
 * physdev_op are tried with everything but a right version or a known command).
 */
#include "guest.h"

#define COUNT 300000u
/* Frames of the machine (512 MiB) and of the kernel with its tables and lists: what is mapped at
 * the start. */
#define MAX_FRAMES 0x20000u
#define OWN_PFNS   0x400u

/* What arguments point to; the page behind is unmapped, so that long arrays end there. */
static uint8_t scratch[9][4096] __attribute__((aligned(4096)));
static uint64_t canary[512] __attribute__((aligned(4096)));
extern char trap_entries[], event_entry[], failsafe_entry[];
void guest_traps_init(void);

static unsigned long address(void)
{
    uint64_t r = guest_random();

    switch (r % 10) {
    case 0:
        return 0;
    case 1:
        return 0x800000000000ul - r / 16 % 64;
    case 2:
        return 0xffff800000000000ul + (r >> 20) % 0x80000000000ul;
    case 3:
        return 0xffff880000000000ul - r / 16 % 128;
    case 4:
        return 0xfffffffffffffff0ul + r / 16 % 16;
    case 5:
        return guest_random();
    case 6: /* the edge of what is mapped */
        return (unsigned long)scratch[7] + 4096 - r / 16 % 64;
    default:
        return (unsigned long)scratch[r / 16 % 8] + (r / 256 % 512) * 8;
    }
}

/* A frame that this kernel lives in: what it may clear, copy over or give away, it should not. */
static bool own_frame(uint64_t v)
{
    const uint64_t *m2p = (const uint64_t *)MACH2PHYS_VIRT_START;

    return v < MAX_FRAMES && m2p[v] < OWN_PFNS;
}

static uint64_t any_word(void)
{
    uint64_t r = guest_random();

    switch (r % 12) {
    case 0:
    case 1:
        return r / 16 % 8;
    case 2:
        return r / 16 % 64;
    case 3:
        return ~(r / 16 % 16);
    case 4:
        return 1ull << (r / 16 % 64);
    case 5:
        return guest_random();
    case 6:
        return 0x7ff0 + r / 16 % 16; /* domain numbers */
    case 7:                          /* frames that are not ours: 0..4 GiB; ours are left alone */
        return 0x100000 + r / 16 % 0x100000;
    case 8:
        return (uint32_t)guest_random();
    default:
        return address();
    }
}

static uint64_t word(void)
{
    uint64_t v = any_word();

    /* As a frame number, or as the address of an entry in one. */
    return own_frame(v) || own_frame(v >> 12) ? v | 1ull << 40 : v;
}

static bool left_out(unsigned int nr, const unsigned long a[5]);

static void fill_scratch(void)
{
    for (unsigned int p = 0; p < 8; p++) {
        uint64_t *w = (uint64_t *)scratch[p];

        for (unsigned int i = 0; i < 512; i++) {
            uint64_t v = word();

            /* Mostly structures of 32-bit and 16-bit fields. */
            w[i] = guest_random() % 2 ? v : (v & 0xffffffff) | (word() << 32);
            /* Batches are read from here, too: none that would be this kernel's end. */
            if (w[i] < 64 && (w[i] == __HYPERVISOR_sched_op || w[i] == __HYPERVISOR_vcpu_op ||
                              left_out((unsigned int)w[i], (unsigned long[5]){0}))) {
                w[i] |= 64;
            }
        }
    }
}

/* Does this call end or change the kernel that makes it? */
static bool left_out(unsigned int nr, const unsigned long a[5])
{
    switch (nr) {
    case __HYPERVISOR_iret:
    case __HYPERVISOR_multicall: /* its own test below */
    case __HYPERVISOR_sched_op_compat:
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_nmi_op:
    case __HYPERVISOR_stack_switch:
    case __HYPERVISOR_console_io:
        return true;
    case __HYPERVISOR_sched_op: /* yield, and what does not exist */
        return (unsigned int)a[0] >= 1 && (unsigned int)a[0] <= 6;
    case __HYPERVISOR_vcpu_op: /* down, or losing sight of its events, of the vcpus that run this */
        return ((unsigned int)a[0] == VCPUOP_down ||
                (unsigned int)a[0] == VCPUOP_register_vcpu_info) &&
               (unsigned int)a[1] <= 1;
    case __HYPERVISOR_set_debugreg: /* breakpoints on ourselves */
        return true;
    case __HYPERVISOR_update_va_mapping:
    case __HYPERVISOR_update_va_mapping_otherdomain:
        return a[0] >= GUEST_VIRT_BASE && a[0] < (unsigned long)scratch + sizeof(scratch);
    case __HYPERVISOR_memory_op: /* giving up frames by number: some would be ours */
        return false;
    case __HYPERVISOR_platform_op:
    case __HYPERVISOR_domctl:
    case __HYPERVISOR_sysctl:
    case __HYPERVISOR_physdev_op:
        return true;
    default:
        return false;
    }
}

/* A trap of ours: which call was it? */
static struct {
    unsigned long nr, a[5];
} last;

static bool tell(struct trap_frame *f)
{
    if (f->vector == 2) { /* it sends itself NMIs */
        return true;
    }
    print("# last hypercall %lu(%lx, %lx, %lx, %lx, %lx)\n", last.nr, last.a[0], last.a[1],
          last.a[2], last.a[3], last.a[4]);
    return false;
}

static long call(unsigned int nr, const unsigned long a[5])
{
    last.nr = nr;
    memcpy(last.a, a, sizeof(last.a));
    return hypercall5(nr, a[0], a[1], a[2], a[3], a[4]);
}

static bool still_myself(void)
{
    for (unsigned int i = 0; i < 512; i++) {
        if (canary[i] != (i ^ 0x5a5a5a5a5a5a5a5aul)) {
            return false;
        }
    }
    return hypercall(__HYPERVISOR_xen_version, 0) >> 16 == 4;
}

static unsigned long count_option(void)
{
    const char *s = guest_option("n");
    unsigned long n = 0;

    while (s && *s >= '0' && *s <= '9') {
        n = n * 10 + (unsigned long)(*s++ - '0');
    }
    return n ? n : COUNT;
}

/* Chooses a hypercall: a number and five arguments. False: not one to be made. */
static bool choose(unsigned int *nr, unsigned long a[5])
{
    *nr = (unsigned int)(guest_random() % 64);
    for (unsigned int i = 0; i < 5; i++) {
        a[i] = word();
    }
    if (guest_random() % 4) { /* plausible: a command, then pointers and counts */
        a[0] = guest_random() % 2 ? guest_random() % 32 : address();
        a[1] = guest_random() % 2 ? guest_random() % 4 : address();
        a[2] = guest_random() % 2 ? guest_random() % 8 : address();
        a[3] = 0x7ff0;
    }
    return !left_out(*nr, a);
}

/* Nobody waits for any event; one that stays pending would be all that a vcpu ever does. */
static void forget_events(void)
{
    for (unsigned int i = 0; i < 2; i++) {
        shared_info->vcpu_info[i].evtchn_upcall_pending = 0;
    }
}

static volatile bool stop;
static volatile unsigned long other_made;

/* A second vcpu does the same at the same time, with the memory that the first one fills. */
static void other_vcpu(void)
{
    while (!stop) {
        unsigned long a[5];
        unsigned int nr;

        if (choose(&nr, a)) {
            (void)hypercall5(nr, a[0], a[1], a[2], a[3], a[4]);
            other_made++;
        }
    }
    for (;;) {
        pause_cpu();
    }
}

static void test_single(unsigned long n)
{
    unsigned long made = 0, succeeded = 0;

    for (unsigned long i = 0; i < n; i++) {
        unsigned long a[5];
        unsigned int nr;

        if (i % 256 == 0) {
            fill_scratch();
            if (!still_myself()) {
                tap_bail_out("changed by call %lu", i);
            }
        }
        if (!choose(&nr, a)) {
            continue;
        }
        made++;
        succeeded += call(nr, a) >= 0;
    }
    tap_ok(still_myself(), "%lu hypercalls, %lu of them succeeded", made, succeeded);
}

/* Batches, whose entries are in memory of all kinds, and which contain what a batch may not. */
static void test_multicall(unsigned long n)
{
    static multicall_entry_t batch[16];

    for (unsigned long i = 0; i < n; i++) {
        for (unsigned int e = 0; e < 16; e++) {
            unsigned long a[5] = {word(), word(), word(), word(), word()};
            unsigned int nr = (unsigned int)(guest_random() % 64);

            if (left_out(nr, a) && nr != __HYPERVISOR_iret && nr != __HYPERVISOR_multicall) {
                nr = __HYPERVISOR_xen_version;
            }
            batch[e].op = guest_random() % 16 ? nr : word() | 64;
            for (unsigned int k = 0; k < 5; k++) {
                batch[e].args[k] = a[k];
            }
        }
        hypercall(__HYPERVISOR_multicall, batch, 16);
        if (i % 16 == 0) {
            hypercall(__HYPERVISOR_multicall, address(), guest_random() % 2 ? word() : 3);
        }
    }
    tap_ok(still_myself(), "%lu batches of 16", n);
}

/* The registers that a hypercall must keep. */
static uint64_t kept[6] __attribute__((used));

static void __attribute__((noinline)) test_registers(void)
{
    __asm__ volatile("push %%rbp\n"
                     "mov $0x1111, %%ebx; mov $0x2222, %%ebp; mov $0x3333, %%r12d\n"
                     "mov $0x4444, %%r13d; mov $0x5555, %%r14d; mov $0x6666, %%r15d\n"
                     "mov $17, %%eax; xor %%edi, %%edi; xor %%esi, %%esi; syscall\n"
                     "mov %%rbx, kept; mov %%rbp, kept + 8; mov %%r12, kept + 16\n"
                     "mov %%r13, kept + 24; mov %%r14, kept + 32; mov %%r15, kept + 40\n"
                     "pop %%rbp\n" ::
                         : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
                           "r12", "r13", "r14", "r15", "memory");
    for (unsigned int i = 0; i < 6; i++) {
        if (kept[i] != 0x1111 * (i + 1)) {
            tap_ok(false, "register %u after a hypercall: %lx", i, kept[i]);
            return;
        }
    }
    tap_ok(true, "a hypercall keeps the caller's registers");
}

void test_main(void)
{
    unsigned long n = count_option();

    for (unsigned int i = 0; i < 512; i++) {
        canary[i] = i ^ 0x5a5a5a5a5a5a5a5aul;
    }
    if (remap(scratch[8], 0) != 0) {
        tap_bail_out("no page can be unmapped");
    }
    test_registers();
    trap_hook = tell;
    event_hook = forget_events;
    test_single(n / 2);
    test_multicall(n / 128);
    tap_is(start_vcpu(1, other_vcpu), 0, "a second vcpu joins in");
    test_single(n / 2);
    test_multicall(n / 128);
    stop = true;
    tap_ok(other_made > 0, "it made %lu", other_made);
}
