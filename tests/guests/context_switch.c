/*
 * Three vcpus that share a processor see nothing of each other. Each loads its own values into
 * everything that a processor holds for a vcpu - general, x87, SSE and AVX registers, MXCSR and the
 * x87 control word, FS and GS bases (both GS), selectors, TSC_AUX, debug registers, CR0.TS, XCR0 -
 * then lets the others run and compares, thousands of times. Proves that a switch of vcpus takes
 * everything along, and that what one vcpu does not use it does not inherit.
 *
 * Run on one physical processor (GUEST_OPTIONS in build.mk), where every yield is a switch.
 */
#include "guest.h"

#define NR_VCPUS 3u
#define ROUNDS   3000u

static volatile unsigned int errors[NR_VCPUS], rounds_done[NR_VCPUS], finished[NR_VCPUS];
static const char *volatile first_error[NR_VCPUS];
static bool have_avx;
static uint64_t old_cr4;

static void failed(unsigned int id, const char *what)
{
    if (errors[id]++ == 0) {
        first_error[id] = what;
    }
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static void set_xcr0(uint32_t v)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"(v), "d"(0));
}

static uint64_t get_xcr0(void)
{
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

/* What a vcpu holds, different for each and each round. */
struct state {
    uint64_t word;
    uint32_t mxcsr;
    uint16_t fcw;
};

static struct state make_state(unsigned int id, unsigned int round)
{
    return (struct state){
        .word = 0x0101010101010101ull * (id + 1) ^ ((uint64_t)round << 20),
        .mxcsr = 0x1f80u | (id & 3u) << 13,
        .fcw = (uint16_t)(0x037fu ^ (id & 3u) << 10),
    };
}

static void load_vectors(const struct state *s)
{
    __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(s->mxcsr), "m"(s->fcw));
    __asm__ volatile("movq %0, %%xmm0; movlhps %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm7\n"
                     "movdqa %%xmm0, %%xmm15\n" ::"m"(s->word));
    if (have_avx) {
        __asm__ volatile("vinsertf128 $1, %%xmm0, %%ymm7, %%ymm7\n" ::);
    }
    __asm__ volatile("fninit; fldcw %0; fildq %1" ::"m"(s->fcw), "m"(s->word));
}

static void check_vectors(unsigned int id, const struct state *s)
{
    uint64_t v[2], x87;
    uint32_t mxcsr;
    uint16_t fcw;

    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(fcw));
    if (mxcsr != s->mxcsr) {
        failed(id, "MXCSR");
    }
    if (fcw != s->fcw) {
        failed(id, "x87 control word");
    }
    __asm__ volatile("movdqu %%xmm7, %0" : "=m"(v));
    if (v[0] != s->word || v[1] != s->word) {
        failed(id, "xmm7");
    }
    __asm__ volatile("movdqu %%xmm15, %0" : "=m"(v));
    if (v[0] != s->word || v[1] != s->word) {
        failed(id, "xmm15");
    }
    if (have_avx) {
        __asm__ volatile("vextractf128 $1, %%ymm7, %0" : "=m"(v));
        if (v[0] != s->word || v[1] != s->word) {
            failed(id, "upper half of ymm7");
        }
    }
    __asm__ volatile("fistpq %0" : "=m"(x87));
    if (x87 != s->word) {
        failed(id, "st(0)");
    }
}

static void load_bases(const struct state *s, unsigned int id)
{
    wrmsr(0xc0000100, s->word & 0x7fffffffffff);
    wrmsr(0xc0000101, (s->word & 0x7fffffffffff) ^ 1);
    wrmsr(0xc0000102, (s->word & 0x7fffffffffff) ^ 2);
    wrmsr(0xc0000103, id + 77);
    hypercall(__HYPERVISOR_set_debugreg, 0, s->word & 0x7fffffffffff);
    hypercall(__HYPERVISOR_set_debugreg, 7, id == 1 ? 2 : 0); /* vcpu 1 has one armed */
}

static void check_bases(unsigned int id, const struct state *s)
{
    uint32_t aux;

    if (rdmsr(0xc0000100) != (s->word & 0x7fffffffffff)) {
        failed(id, "FS base");
    }
    if (rdmsr(0xc0000101) != ((s->word & 0x7fffffffffff) ^ 1)) {
        failed(id, "GS base");
    }
    if (rdmsr(0xc0000102) != ((s->word & 0x7fffffffffff) ^ 2)) {
        failed(id, "shadow GS base");
    }
    __asm__ volatile("rdtscp" : "=c"(aux)::"rax", "rdx");
    if (aux != id + 77) {
        failed(id, "TSC_AUX");
    }
    if (hypercall(__HYPERVISOR_get_debugreg, 0) != (long)(s->word & 0x7fffffffffff)) {
        failed(id, "DR0");
    }
}

/* All general registers over a yield made by SYSCALL itself. */
static bool registers_survive(uint64_t seed)
{
    uint64_t bad;

    __asm__ volatile("push %%rbp\n"
                     "mov %[seed], %%rbx\n"
                     "lea 1(%%rbx), %%rbp; lea 2(%%rbx), %%r12; lea 3(%%rbx), %%r13\n"
                     "lea 4(%%rbx), %%r14; lea 5(%%rbx), %%r15; lea 6(%%rbx), %%r8\n"
                     "lea 7(%%rbx), %%r9; lea 8(%%rbx), %%r10; lea 9(%%rbx), %%rdx\n"
                     "mov $29, %%eax; xor %%edi, %%edi; xor %%esi, %%esi\n" /* yield */
                     "syscall\n"
                     "lea 1(%%rbx), %%rcx; xor %%rbp, %%rcx; mov %%rcx, %%rax\n"
                     "lea 2(%%rbx), %%rcx; xor %%r12, %%rcx; or %%rcx, %%rax\n"
                     "lea 3(%%rbx), %%rcx; xor %%r13, %%rcx; or %%rcx, %%rax\n"
                     "lea 4(%%rbx), %%rcx; xor %%r14, %%rcx; or %%rcx, %%rax\n"
                     "lea 5(%%rbx), %%rcx; xor %%r15, %%rcx; or %%rcx, %%rax\n"
                     "lea 6(%%rbx), %%rcx; xor %%r8, %%rcx; or %%rcx, %%rax\n"
                     "lea 7(%%rbx), %%rcx; xor %%r9, %%rcx; or %%rcx, %%rax\n"
                     "lea 8(%%rbx), %%rcx; xor %%r10, %%rcx; or %%rcx, %%rax\n"
                     "lea 9(%%rbx), %%rcx; xor %%rdx, %%rcx; or %%rcx, %%rax\n"
                     "pop %%rbp\n"
                     : "=&a"(bad)
                     : [seed] "r"(seed)
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "memory", "cc");
    return bad == 0;
}

/* xgetbv is #UD until CR4.OSXSAVE is there in fact: only asked when it is. */
static void work(unsigned int id)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | 1ul << 18));
    for (unsigned int round = 0; round < ROUNDS; round++) {
        struct state s = make_state(id, round);

        if (have_avx) {
            set_xcr0(7);
        }
        load_vectors(&s);
        load_bases(&s, id);
        if (have_avx && id == 2 && round % 2) {
            set_xcr0(3); /* AVX off for a while: its registers are kept */
        }
        if (!registers_survive(s.word)) {
            failed(id, "general registers");
        }
        if (have_avx) {
            if (get_xcr0() != (id == 2 && round % 2 ? 3u : 7u)) {
                failed(id, "XCR0");
            }
            set_xcr0(7);
        }
        check_vectors(id, &s);
        check_bases(id, &s);
        rounds_done[id]++;
    }
    finished[id] = 1;
}

static void vcpu1(void)
{
    work(1);
}
static void vcpu2(void)
{
    work(2);
}

void test_main(void)
{
    uint32_t a = 1, b, c = 0, d;
    bool all;

    __asm__ volatile(XEN_CPUID : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    have_avx = (c >> 28) & 1;
    __asm__ volatile("mov %%cr4, %0" : "=r"(old_cr4));
    tap_is(start_vcpu(1, vcpu1), 0, "second vcpu");
    tap_is(start_vcpu(2, vcpu2), 0, "third vcpu");
    work(0);
    do {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
        all = finished[0] && finished[1] && finished[2];
    } while (!all);
    for (unsigned int i = 0; i < NR_VCPUS; i++) {
        tap_ok(errors[i] == 0 && rounds_done[i] == ROUNDS, "vcpu %u: %u rounds, %u errors (%s)", i,
               rounds_done[i], errors[i], first_error[i] ? first_error[i] : "none");
    }
    if (!have_avx) {
        tap_skip("the processor has no AVX", "upper halves of vector registers");
    }
}
