/*
 * Floating point and vector state (arch/fpu.h). AMD APM 1, "Saving Media and x87 State"; APM 2,
 * "XSAVE/ XRSTOR". The whole of what the hypervisor knows is saved and loaded, whatever XCR0 a
 * guest has: a guest that turns a component off for a while finds it again.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/percpu.h>
#include <arch/cpufeature.h>
#include <arch/extable.h>
#include <arch/fpu.h>
#include <arch/msr.h>
#include <arch/policy.h>

#define XSAVE_HEADER 512u /* offset of the header: 64 bytes */
#define FCW_DEFAULT  0x037fu
#define MXCSR        24u
#define MXCSR_RESET  0x1f80u
/* FXRSTOR restores the error pointers too (else AMD processors leave the last user's). */
#define RSTR_FP_ERR_PTRS 0x04u

static DEFINE_PER_CPU(uint64_t, loaded_xcr0); /* 0: not known */

static uint64_t host_xcr0;

/* CPUID is slow, and under another hypervisor very slow: asked once, at the first vcpu. */
uint64_t fpu_host_xcr0(void)
{
    struct cpuid_leaf l;
    uint64_t mask = XSTATE_FP | XSTATE_SSE;

    if (host_xcr0 || !cpu_has(X86_XSAVE) || boot_cpu.max_leaf < 0xd) {
        return host_xcr0;
    }
    l = cpuid(0xd, 0);
    if (l.a & XSTATE_YMM) {
        mask |= XSTATE_YMM;
        if ((l.a & XSTATE_ZMM) == XSTATE_ZMM) {
            mask |= XSTATE_ZMM;
        }
    }
    host_xcr0 = mask;
    return mask;
}

uint32_t fpu_xsave_size(uint64_t xcr0)
{
    uint32_t size = XSAVE_HEADER + 64;

    for (uint32_t i = 2; i < 63; i++) {
        if ((xcr0 >> i) & 1) {
            struct cpuid_leaf l = cpuid(0xd, i);

            size = max(size, l.a + l.b);
        }
    }
    return size;
}

uint32_t fpu_xsave_size_compacted(uint64_t xcr0)
{
    uint32_t size = XSAVE_HEADER + 64;

    for (uint32_t i = 2; i < 63; i++) {
        if ((xcr0 >> i) & 1) {
            struct cpuid_leaf l = cpuid(0xd, i);

            size = (l.c & 2) ? ROUNDUP(size, 64u) + l.a : size + l.a;
        }
    }
    return size;
}

static void write_xcr0(uint64_t value)
{
    if (this_cpu(loaded_xcr0) != value) {
        __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
        this_cpu(loaded_xcr0) = value;
    }
}

void fpu_reset(struct vcpu *v)
{
    uint8_t *area = v->arch.xsave_area;
    uint64_t host = fpu_host_xcr0();

    memset(area, 0, fpu_xsave_size(host));
    *(uint16_t *)area = FCW_DEFAULT;
    *(uint32_t *)(area + MXCSR) = MXCSR_RESET;
    /* XSTATE_BV: what is not in it is in its initial state; the legacy part is what stands above.
     */
    *(uint64_t *)(area + XSAVE_HEADER) = host ? XSTATE_FP | XSTATE_SSE : 0;
    v->arch.xcr0 = host ? XSTATE_FP : 0;
}

int fpu_create(struct vcpu *v)
{
    v->arch.xsave_area = xzalloc_bytes(fpu_xsave_size(fpu_host_xcr0()), 64);
    if (!v->arch.xsave_area) {
        return -ENOMEM;
    }
    fpu_reset(v);
    return 0;
}

void fpu_destroy(struct vcpu *v)
{
    xfree(v->arch.xsave_area);
    v->arch.xsave_area = NULL;
}

void fpu_save(struct vcpu *v)
{
    uint64_t host = host_xcr0;

    __asm__ volatile("clts");
    if (host) {
        write_xcr0(host);
        __asm__ volatile("xsave64 (%0)" ::"r"(v->arch.xsave_area), "a"(~0u), "d"(~0u) : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" ::"r"(v->arch.xsave_area) : "memory");
    }
}

void fpu_restore(struct vcpu *v)
{
    uint64_t host = host_xcr0;
    static const uint32_t zero;

    __asm__ volatile("clts");
    if (!(boot_cpu.word[FEAT_E8_EBX] & RSTR_FP_ERR_PTRS) && boot_cpu.vendor != VENDOR_INTEL) {
        /* Puts known error pointers in place of another guest's; stack slot 7 must be empty for it.
         */
        __asm__ volatile("fnclex; ffree %%st(7); fildl %0" ::"m"(zero));
    }
    if (host) {
        write_xcr0(host);
        __asm__ volatile("xrstor64 (%0)" ::"r"(v->arch.xsave_area), "a"(~0u), "d"(~0u) : "memory");
        write_xcr0(v->arch.xcr0);
    } else {
        __asm__ volatile("fxrstor64 (%0)" ::"r"(v->arch.xsave_area) : "memory");
    }
    if (v->arch.pv.ctrlreg[0] & CR0_TS) {
        write_cr0(read_cr0() | CR0_TS);
    }
}

int fpu_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value)
{
    const struct cpu_policy *p = v->domain->arch.cpu_policy;

    if (index != 0 || !(value & XSTATE_FP) || (value & ~p->xcr0_max)) {
        return -EINVAL;
    }
    if ((value & XSTATE_YMM) && !(value & XSTATE_SSE)) {
        return -EINVAL;
    }
    if ((value & XSTATE_ZMM) && ((value & XSTATE_ZMM) != XSTATE_ZMM || !(value & XSTATE_YMM))) {
        return -EINVAL;
    }
    v->arch.xcr0 = value;
    write_xcr0(value);
    return 0;
}

void fpu_get_fxsave(const struct vcpu *v, void *fxsave)
{
    memcpy(fxsave, v->arch.xsave_area, 512);
}

/* MXCSR bits that the processor does not have would fault when loaded; the padding at the end is
 * for software and may stay. */
void fpu_set_fxsave(struct vcpu *v, const void *fxsave)
{
    uint8_t *area = v->arch.xsave_area;
    uint32_t *mxcsr = (uint32_t *)(area + MXCSR);

    memcpy(area, fxsave, 512);
    *mxcsr &= 0xffbf;
    memset(area + XSAVE_HEADER, 0, 64);
    *(uint64_t *)(area + XSAVE_HEADER) = fpu_host_xcr0() ? XSTATE_FP | XSTATE_SSE : 0;
}
