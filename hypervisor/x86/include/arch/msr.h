/* MSRs and control registers: numbers and accessors. Intel SDM volume 4; AMD APM volume 2,
 * appendix. */
#ifndef ARCH_MSR_H
#define ARCH_MSR_H

#include <hospes/types.h>

#define MSR_TSC               0x00000010u
#define MSR_APIC_BASE         0x0000001bu
#define APIC_BASE_BSP         BIT(8)
#define APIC_BASE_X2APIC      BIT(10)
#define APIC_BASE_ENABLE      BIT(11)
#define MSR_SPEC_CTRL         0x00000048u
#define SPEC_CTRL_IBRS        BIT(0)
#define SPEC_CTRL_STIBP       BIT(1)
#define SPEC_CTRL_SSBD        BIT(2)
#define MSR_PRED_CMD          0x00000049u
#define PRED_CMD_IBPB         BIT(0)
#define MSR_PLATFORM_INFO     0x000000ceu
#define PLATFORM_INFO_CPUID   BIT(31)
#define MSR_ARCH_CAPABILITIES 0x0000010au
#define MSR_FLUSH_CMD         0x0000010bu
#define MSR_MISC_FEATURES     0x00000140u
#define MISC_FEATURES_CPUID   BIT(0)
#define MSR_MISC_ENABLE       0x000001a0u
#define MSR_SYSENTER_CS       0x00000174u
#define MSR_SYSENTER_ESP      0x00000175u
#define MSR_SYSENTER_EIP      0x00000176u
#define MSR_PAT               0x00000277u
#define MSR_TSC_DEADLINE      0x000006e0u
#define MSR_X2APIC_BASE       0x00000800u
#define MSR_EFER              0xc0000080u
#define EFER_SCE              BIT(0)
#define EFER_LME              BIT(8)
#define EFER_LMA              BIT(10)
#define EFER_NXE              BIT(11)
#define EFER_SVME             BIT(12)
#define MSR_STAR              0xc0000081u
#define MSR_LSTAR             0xc0000082u
#define MSR_CSTAR             0xc0000083u
#define MSR_SFMASK            0xc0000084u
#define MSR_FS_BASE           0xc0000100u
#define MSR_GS_BASE           0xc0000101u
#define MSR_SHADOW_GS_BASE    0xc0000102u
#define MSR_TSC_AUX           0xc0000103u
#define MSR_AMD_HWCR          0xc0010015u
#define MSR_AMD_PATCH_LEVEL   0x0000008bu
#define MSR_AMD_DE_CFG        0xc0011029u
#define AMD_DE_CFG_LFENCE     BIT(1)

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME        BIT(0)
#define CR4_PVI        BIT(1)
#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_PCE        BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE        BIT(22)

static __always_inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return ((uint64_t)hi << 32) | lo;
}
static __always_inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
/* Survive a #GP (exception table): 0 or -EFAULT. */
int rdmsr_safe(uint32_t msr, uint64_t *v) __must_check;
int wrmsr_safe(uint32_t msr, uint64_t v) __must_check;

static __always_inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}
/* Not before earlier loads. */
static __always_inline uint64_t rdtsc_ordered(void)
{
    __asm__ volatile("lfence" ::: "memory");
    return rdtsc();
}
static __always_inline uint64_t read_cr0(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}
static __always_inline void write_cr0(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr0" ::"r"(v) : "memory");
}
static __always_inline uint64_t read_cr2(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}
static __always_inline void write_cr2(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr2" ::"r"(v) : "memory");
}
static __always_inline uint64_t read_cr3(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}
static __always_inline void write_cr3(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}
static __always_inline uint64_t read_cr4(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}
static __always_inline void write_cr4(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr4" ::"r"(v) : "memory");
}
#define DEFINE_READ_DR(n)                                 \
    static __always_inline uint64_t read_dr##n(void)      \
    {                                                     \
        uint64_t v;                                       \
        __asm__ volatile("mov %%db" #n ", %0" : "=r"(v)); \
        return v;                                         \
    }                                                     \
    static __always_inline void write_dr##n(uint64_t v)   \
    {                                                     \
        __asm__ volatile("mov %0, %%db" #n ::"r"(v));     \
    }
DEFINE_READ_DR(0)
DEFINE_READ_DR(1)
DEFINE_READ_DR(2)
DEFINE_READ_DR(3)
DEFINE_READ_DR(6)
DEFINE_READ_DR(7)
#undef DEFINE_READ_DR
static __always_inline void wbinvd(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
}
static __always_inline void stac(void)
{
    __asm__ volatile("stac" ::: "memory");
}
static __always_inline void clac(void)
{
    __asm__ volatile("clac" ::: "memory");
}

#endif
