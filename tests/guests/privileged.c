/*
 * Privileged instructions. A PV kernel runs in ring 3: what it may still use is emulated. Proves,
 * for the kernel and for its user mode:
 *
 *   - CPUID behind the forced-emulation prefix shows the hypervisor and hides what PV cannot have;
 *   - MSRs: segment bases, EFER, PAT and the like read as they should, changes that are not ours to
 * make and MSRs that nobody knows are #GP;
 *   - control and debug registers, XSETBV, CLTS: what may change changes, the rest is #GP;
 *   - ports: PCI configuration, CMOS and free ports work from the kernel with I/O privilege, and
 * from user mode only by IOPL or bitmap, to the byte; string instructions fault where their memory
 * does and go on from there;
 *   - an emulated instruction is single-stepped, and one that crosses into an unmapped page is a
 * page fault there; nothing else (LGDT, HLT, SWAPGS, INVLPG, LOCK prefixes) is emulated.
 */
#include "guest.h"
#include <xen/physdev.h>

#define FAULT_NONE 0xffu

/* Runs one instruction with its inputs in registers; what is left of them. */
struct regs {
    uint64_t a, b, c, d, si, di;
};

#define RUN(text, r)                                                                              \
    ({                                                                                            \
        last_fault.happened = false;                                                              \
        __asm__ volatile("1: " text "\n2:\n" GUEST_EX(1b, 2b)                                     \
                         : "+a"((r)->a), "+b"((r)->b), "+c"((r)->c), "+d"((r)->d), "+S"((r)->si), \
                           "+D"((r)->di)::"memory", "cc");                                        \
        last_fault.happened ? last_fault.vector : FAULT_NONE;                                     \
    })

static uint8_t pages[4][4096] __attribute__((aligned(4096)));

static unsigned int rdmsr(uint32_t msr, uint64_t *v)
{
    struct regs r = {.c = msr};
    unsigned int f = RUN("rdmsr", &r);

    *v = r.a | r.d << 32;
    return f;
}

static unsigned int wrmsr(uint32_t msr, uint64_t v)
{
    struct regs r = {.c = msr, .a = (uint32_t)v, .d = v >> 32};

    return RUN("wrmsr", &r);
}

/* ---- CPUID ---- */

static void xen_cpuid(uint32_t leaf, uint32_t subleaf, struct regs *r)
{
    *r = (struct regs){.a = leaf, .c = subleaf};
    (void)RUN(XEN_CPUID, r);
}

static void test_cpuid(void)
{
    struct regs r, max;

    xen_cpuid(0x40000000, 0, &r);
    tap_ok(r.b == 0x566e6558 && r.c == 0x65584d4d && r.d == 0x4d4d566e, "CPUID: XenVMMXenVMM");
    xen_cpuid(0x40000001, 0, &r);
    tap_ok(r.a == 0x40011, "version 4.17");
    xen_cpuid(1, 0, &r);
    tap_ok((r.c >> 31) & 1, "runs under a hypervisor");
    tap_ok(!((r.c >> 3) & 1) && !((r.c >> 5) & 1) && !((r.c >> 17) & 1), "no MONITOR, VMX, PCID");
    tap_ok((r.d >> 9) & 1 && (r.d >> 25) & 1, "APIC and SSE");
    xen_cpuid(7, 0, &r);
    tap_ok(!((r.b >> 7) & 1) && !((r.b >> 20) & 1), "no SMEP, SMAP");
    xen_cpuid(0x80000001, 0, &r);
    tap_ok((r.d >> 29) & 1 && (r.d >> 20) & 1 && !((r.c >> 2) & 1), "LM and NX, no SVM");
    xen_cpuid(0, 0, &max);
    xen_cpuid((uint32_t)max.a + 1, 0, &r);
    tap_ok(r.a == 0 && r.b == 0 && r.c == 0 && r.d == 0, "nothing behind the last leaf (%lx)",
           max.a);
    xen_cpuid(0x40000100, 0, &r);
    tap_ok(r.a == 0 && r.b == 0, "no other hypervisor");
    for (uint32_t i = 0; i < 4000; i++) {
        xen_cpuid((uint32_t)guest_random(), (uint32_t)guest_random(), &r);
        xen_cpuid(i % 32 | (i & 32 ? 0x80000000u : 0), i >> 6, &r);
    }
    tap_ok(true, "any leaf can be asked for");
}

/* ---- MSRs ---- */

static void test_msrs(void)
{
    uint64_t v = 0, old = 0;
    unsigned int refused = 0;

    tap_ok(rdmsr(0xc0000080, &v) == FAULT_NONE && (v & 0x500) == 0x500, "EFER");
    tap_ok(wrmsr(0xc0000080, v) == FAULT_NONE, "may be written as it is");
    tap_ok(wrmsr(0xc0000080, v ^ 0x800) == 13, "and not changed");
    tap_ok(rdmsr(0xc0000101, &old) == FAULT_NONE, "GS base");
    tap_ok(wrmsr(0xc0000101, 0x123456789000) == FAULT_NONE && rdmsr(0xc0000101, &v) == FAULT_NONE &&
               v == 0x123456789000,
           "can be set");
    tap_ok(wrmsr(0xc0000101, 0x800000000000) == 13, "to canonical addresses");
    tap_ok(wrmsr(0xc0000102, 0xffff000000000000) == 13, "the shadow too");
    (void)wrmsr(0xc0000101, old);
    tap_ok(rdmsr(0x277, &v) == FAULT_NONE && v == 0x050100070406, "PAT");
    tap_ok(wrmsr(0x277, 0x0007040600070406) == 13, "PAT stays");
    tap_ok(rdmsr(0x1b, &v) == FAULT_NONE && (v >> 12) == 0xfee00, "APIC base");
    tap_ok(wrmsr(0x1b, 0) == 13, "APIC stays on");
    tap_ok(rdmsr(0xc0000082, &v) == 13, "LSTAR is not shown");
    tap_ok(wrmsr(0xc0000082, 0) == 13 && wrmsr(0x176, 0) == 13, "nor written");
    tap_ok(wrmsr(0xc0010114, 0) == 13 && wrmsr(0xc0010117, 0) == 13, "nor are SVM's");
    for (unsigned int i = 0; i < 2000; i++) {
        uint32_t msr = (uint32_t)guest_random();

        refused += rdmsr(msr, &v) == 13;
        refused += wrmsr(msr, guest_random()) == 13;
    }
    tap_ok(refused > 3900, "random MSRs: %u of 4000 refused", refused);
}

/* ---- registers ---- */

static void test_control_registers(void)
{
    struct regs r = {0};
    uint64_t cr0, cr4;

    tap_ok(RUN("mov %%cr0, %%rax", &r) == FAULT_NONE && (r.a & 0x80000001) == 0x80000001, "CR0");
    cr0 = r.a;
    tap_ok(RUN("mov %%rax, %%cr0", &r) == FAULT_NONE, "may be written as it is");
    r.a = cr0 & ~0x10000ul;
    tap_ok(RUN("mov %%rax, %%cr0", &r) == 13, "WP stays");
    r.a = cr0 | 8;
    tap_ok(RUN("mov %%rax, %%cr0", &r) == FAULT_NONE, "TS may be set");
    tap_ok(RUN("fninit", &r) == 7, "then the FPU is #NM");
    tap_ok(RUN("fninit", &r) == FAULT_NONE, "once");
    r.a = cr0 | 8;
    (void)RUN("mov %%rax, %%cr0", &r);
    tap_ok(RUN("clts", &r) == FAULT_NONE && RUN("fninit", &r) == FAULT_NONE, "CLTS");
    tap_ok(RUN("mov %%cr4, %%rax", &r) == FAULT_NONE && (r.a & 0x20), "CR4");
    cr4 = r.a;
    r.a = cr4 ^ 0x300000; /* SMEP, SMAP */
    tap_ok(RUN("mov %%rax, %%cr4", &r) == FAULT_NONE && RUN("mov %%cr4, %%rax", &r) == FAULT_NONE &&
               r.a == cr4,
           "keeps what is not ours");
    tap_ok(RUN("mov %%cr3, %%rax", &r) == FAULT_NONE &&
               r.a == virt_to_mfn((void *)start_info->pt_base) << 12,
           "CR3");
    tap_ok(RUN("mov %%rax, %%cr3", &r) == FAULT_NONE, "may be loaded");
    r.a = 0xfffff000;
    tap_ok(RUN("mov %%rax, %%cr3", &r) == 13, "but not with any frame");
    tap_ok(RUN("mov %%cr8, %%rax", &r) == 13, "no CR8");
    r.a = 0xdead0000;
    tap_ok(RUN("mov %%rax, %%db0", &r) == FAULT_NONE && RUN("mov %%db0, %%rbx", &r) == FAULT_NONE &&
               r.b == 0xdead0000,
           "DR0");
    r.a = 0xffff830000000000;
    tap_ok(RUN("mov %%rax, %%db1", &r) == 13, "not with an address of the hypervisor");
}

static void test_xsetbv(void)
{
    struct regs r = {0};
    uint64_t cr4;

    (void)RUN("mov %%cr4, %%rax", &r);
    cr4 = r.a;
    r = (struct regs){.a = 7};
    tap_ok(RUN("xsetbv", &r) != FAULT_NONE, "XSETBV needs CR4.OSXSAVE");
    r.a = cr4 | 1ul << 18;
    (void)RUN("mov %%rax, %%cr4", &r);
    (void)RUN("mov %%cr4, %%rax", &r);
    if (!(r.a >> 18 & 1)) {
        tap_skip("the processor has no XSAVE", "XSETBV");
        return;
    }
    r = (struct regs){.a = 3};
    tap_ok(RUN("xsetbv", &r) == FAULT_NONE, "XCR0: x87 and SSE");
    r = (struct regs){.a = 2};
    tap_ok(RUN("xsetbv", &r) == 13, "not without x87");
    r = (struct regs){.a = 5};
    tap_ok(RUN("xsetbv", &r) == 13, "not AVX without SSE");
    r = (struct regs){.a = 3, .d = 0x80000000};
    tap_ok(RUN("xsetbv", &r) == 13, "not with bit 63");
    r = (struct regs){.a = 3, .c = 1};
    tap_ok(RUN("xsetbv", &r) == 13, "no XCR1");
    r.a = cr4;
    (void)RUN("mov %%rax, %%cr4", &r);
}

/* ---- what is not emulated ---- */

static void test_refused(void)
{
    struct regs r = {.a = (uint64_t)pages[0], .d = 0x80};

    tap_ok(RUN("lgdt (%%rax)", &r) == 13 && RUN("lidt (%%rax)", &r) == 13, "LGDT, LIDT");
    tap_ok(RUN("lldt %%bx", &r) == 13 && RUN("ltr %%bx", &r) == 13, "LLDT, LTR");
    tap_ok(RUN("hlt", &r) == 13, "HLT");
    tap_ok(RUN("swapgs", &r) == 13, "SWAPGS");
    tap_ok(RUN("invlpg (%%rax)", &r) == 13, "INVLPG");
    tap_ok(RUN("sysretq", &r) == 13, "SYSRET");
    tap_ok(RUN(".byte 0x0f, 0x01, 0xd8", &r) != FAULT_NONE, "VMRUN");
    tap_ok(RUN(".byte 0xf0, 0x0f, 0x32", &r) == 6, "LOCK RDMSR");
    tap_ok(RUN("ud2", &r) == 6, "UD2 alone");
    tap_ok(RUN(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0x30", &r) == 6,
           "the emulation prefix before anything but CPUID");
    tap_ok(RUN("wbinvd", &r) == FAULT_NONE, "WBINVD is for Domain 0");
}

/* An emulated instruction over the end of a page, the next one unmapped. */
static void test_crossing(void)
{
    static uint8_t code[2][4096] __attribute__((aligned(4096)));
    struct fault f;

    memset(code, 0x90, sizeof(code));
    code[0][4095] = 0x0f; /* of RDMSR */
    if (remap(code[1], 0) != 0) {
        tap_bail_out("a page cannot be unmapped");
    }
    f = probe_exec(&code[0][4095]);
    tap_ok(f.happened && f.vector == 14 && f.cr2 == (unsigned long)code[1],
           "half an instruction is a page fault (vector %u cr2 %lx)", f.vector, f.cr2);
}

static volatile unsigned int steps;

static bool step_hook(struct trap_frame *f)
{
    if (f->vector != 1) {
        return false;
    }
    steps++;
    f->rflags &= ~0x100ul;
    return true;
}

static void test_single_step(void)
{
    unsigned long a = 0, d = 0, c = 0xc0000101;

    trap_hook = step_hook;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq\n"
                     "rdmsr\n"
                     "nop\n"
                     : "+a"(a), "+d"(d), "+c"(c)::"memory", "cc");
    trap_hook = NULL;
    tap_ok(steps == 1, "an emulated instruction is one step (%u)", steps);
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

/* ---- ports ---- */

static long set_iopl(unsigned int iopl)
{
    struct physdev_set_iopl s = {.iopl = iopl};

    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, &s);
}

static long set_bitmap(const void *map, unsigned int ports)
{
    struct physdev_set_iobitmap s = {.nr_ports = ports};

    memcpy(&s.bitmap, &map, sizeof(map));
    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, &s);
}

static unsigned int in(unsigned int port, unsigned int bytes, uint32_t *value)
{
    struct regs r = {.d = port};
    unsigned int f = bytes == 1   ? RUN("in %%dx, %%al", &r)
                     : bytes == 2 ? RUN("in %%dx, %%ax", &r)
                                  : RUN("in %%dx, %%eax", &r);

    *value = (uint32_t)r.a;
    return f;
}

static unsigned int out(unsigned int port, unsigned int bytes, uint32_t value)
{
    struct regs r = {.d = port, .a = value};

    return bytes == 1   ? RUN("out %%al, %%dx", &r)
           : bytes == 2 ? RUN("out %%ax, %%dx", &r)
                        : RUN("out %%eax, %%dx", &r);
}

static void test_ports(void)
{
    uint32_t v = 0, w = 0;

    tap_is(set_iopl(0), 0, "no I/O privilege");
    tap_ok(in(0x80, 1, &v) == 13 && out(0x80, 1, 0) == 13, "no ports");
    tap_is(set_iopl(4), -22, "there are four levels");
    tap_is(set_iopl(1), 0, "I/O privilege for the kernel");
    tap_ok(out(0x80, 1, 0) == FAULT_NONE, "a free port");
    tap_ok(out(0xcf8, 4, 0x80000000) == FAULT_NONE && in(0xcf8, 4, &v) == FAULT_NONE &&
               v == 0x80000000,
           "PCI address");
    tap_ok(in(0xcfc, 4, &v) == FAULT_NONE && (v & 0xffff) == 0x8086, "PCI host bridge");
    tap_ok(in(0xcfe, 2, &w) == FAULT_NONE && w == v >> 16, "its upper half");
    tap_ok(in(0xcfd, 1, &w) == FAULT_NONE && w == ((v >> 8) & 0xff), "one byte of it");
    (void)out(0xcf8, 4, 0);
    tap_ok(in(0xcfc, 4, &v) == FAULT_NONE && v == 0xffffffff, "nothing without the enable bit");
    (void)out(0x70, 1, 0x0b);
    tap_ok(in(0x71, 1, &v) == FAULT_NONE && (v & 2), "CMOS register B");
    tap_ok(in(0x20, 1, &v) == FAULT_NONE && v == 0xff, "the interrupt controller is not ours");
    tap_ok(in(0x40, 2, &v) == FAULT_NONE && (v & 0xffff) == 0xffff, "nor the timer");
    tap_ok(out(0x43, 1, 0xb0) == FAULT_NONE && out(0x42, 1, 0x34) == FAULT_NONE &&
               out(0x42, 1, 0x12) == FAULT_NONE && in(0x42, 1, &v) == FAULT_NONE,
           "but for its channel 2, with the speaker");
    for (unsigned int i = 0; i < 0x10000; i += 0x1f) {
        if (i < 0x60 || (i > 0x80 && i < 0xa0)) {
            (void)in(i, 1u << (i & 1 ? 0 : i & 2 ? 1 : 2), &v);
        }
    }
    tap_ok(in(0xffff, 4, &v) == FAULT_NONE, "a port over the end of the space");
}

/* From the kernel, whose ring 1 needs IOPL 1, the bitmap decides as for user mode. */
static void test_bitmap(void)
{
    static uint8_t map[4096] __attribute__((aligned(4096)));
    uint32_t v = 0;

    memset(map, 0xff, sizeof(map));
    map[0x80 / 8] = 0xfe; /* port 0x80 alone */
    tap_is(set_iopl(0), 0, "no I/O privilege");
    tap_is(set_bitmap(map, 0x1000), 0, "but a bitmap");
    tap_ok(out(0x80, 1, 0) == FAULT_NONE, "with one port");
    tap_ok(in(0x80, 2, &v) == 13 && in(0x80, 4, &v) == 13, "not with its neighbour");
    tap_ok(in(0x7f, 2, &v) == 13 && in(0x81, 1, &v) == 13, "nor either neighbour");
    map[0x88 / 8 - 1] = 0;
    map[0x88 / 8] = 0;
    tap_ok(in(0x86, 4, &v) == FAULT_NONE, "over a byte of the map");
    map[4095] = 0;
    tap_is(set_bitmap(map, 0x8000), 0, "a map of a page");
    tap_ok(in(0x7fff, 1, &v) != 14, "the byte behind it is not needed for the last port");
    tap_is(set_bitmap((void *)0xffff830000000000, 0x1000), -22, "no map in the hypervisor");
    tap_is(set_bitmap((void *)0x123456000, 0x1000), 0, "a map that is not there");
    tap_ok(in(0x80, 1, &v) == 13, "permits nothing");
    tap_is(set_bitmap(NULL, 0), 0, "no map");
    tap_is(set_iopl(1), 0, "I/O privilege again");
}

static void test_string_io(void)
{
    struct regs r = {.d = 0x71, .di = (uint64_t)pages[0] + 100, .c = 16};
    uint8_t *p = pages[0];

    memset(pages, 0x55, sizeof(pages));
    (void)out(0x70, 1, 0x0d);
    tap_ok(RUN("rep insb", &r) == FAULT_NONE && r.c == 0 && r.di == (uint64_t)p + 116 &&
               p[99] == 0x55 && p[116] == 0x55 && p[115] != 0x55,
           "REP INSB");
    r = (struct regs){.d = 0x80, .si = (uint64_t)p + 100, .c = 0};
    tap_ok(RUN("rep outsb", &r) == FAULT_NONE && r.si == (uint64_t)p + 100, "none at all");
    r = (struct regs){.d = 0x80, .si = (uint64_t)p + 100, .c = 4};
    tap_ok(RUN("std; rep outsb; cld", &r) == FAULT_NONE, "backwards");
    tap_ok(r.si == (uint64_t)p + 96 && r.c == 0, "four of them");
    if (remap(pages[1], 0) != 0) {
        tap_bail_out("a page cannot be unmapped");
    }
    r = (struct regs){.d = 0x71, .di = (uint64_t)pages[1] - 5, .c = 16};
    tap_ok(RUN("rep insb", &r) == 14 && last_fault.cr2 == (unsigned long)pages[1] && r.c == 11,
           "REP INSB faults where its memory ends (cr2 %lx, %lu left)", last_fault.cr2, r.c);
    r = (struct regs){.d = 0x71, .di = 0xffff830000000000, .c = 4};
    tap_ok(RUN("rep insb", &r) == 14 && r.c == 4, "nothing is written to the hypervisor");
    r = (struct regs){.d = 0x80, .si = 0xffff82d040000000, .c = 4};
    tap_ok(RUN("rep outsb", &r) == 14 && r.c == 4, "nor read from it");
    r = (struct regs){.d = 0x80, .si = 0x800000000000 - 2, .c = 4};
    tap_ok(RUN("rep outsb", &r) != FAULT_NONE && r.c == 4, "nor from no address");
}

void test_main(void)
{
    test_cpuid();
    test_msrs();
    test_control_registers();
    test_xsetbv();
    test_refused();
    test_crossing();
    test_single_step();
    test_ports();
    test_bitmap();
    test_string_io();
}
