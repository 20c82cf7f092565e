/*
 * What the processor can do. x86/cpu/features.c reads CPUID once at boot; cpu_has(X) tests the
 * result. A feature that the command line turns off is cleared there too.
 */
#ifndef ARCH_CPUFEATURE_H
#define ARCH_CPUFEATURE_H

#include <hospes/types.h>

struct cpuid_leaf {
    uint32_t a, b, c, d;
};
static inline struct cpuid_leaf cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf r;

    __asm__ volatile("cpuid"
                     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                     : "0"(leaf), "2"(subleaf));
    return r;
}

/* Words of cpu_features.word, each one register of one leaf. */
enum {
    FEAT_1_ECX,
    FEAT_1_EDX,
    FEAT_7_EBX,
    FEAT_7_ECX,
    FEAT_7_EDX,
    FEAT_E1_ECX, /* 0x80000001 */
    FEAT_E1_EDX,
    FEAT_E7_EDX,
    FEAT_E8_EBX,
    FEAT_D1_EAX,
    FEAT_E21_EAX,
    FEAT_WORDS,
};
#define FEAT_(w, b)      ((w)*32u + (b))
#define X86_X2APIC       FEAT_(FEAT_1_ECX, 21)
#define X86_TSC_DEADLINE FEAT_(FEAT_1_ECX, 24)
#define X86_XSAVE        FEAT_(FEAT_1_ECX, 26)
#define X86_AVX          FEAT_(FEAT_1_ECX, 28)
#define X86_HYPERVISOR   FEAT_(FEAT_1_ECX, 31)
#define X86_MONITOR      FEAT_(FEAT_1_ECX, 3)
#define X86_PCID         FEAT_(FEAT_1_ECX, 17)
#define X86_PGE          FEAT_(FEAT_1_EDX, 13)
#define X86_MCE          FEAT_(FEAT_1_EDX, 7)
#define X86_SEP          FEAT_(FEAT_1_EDX, 11)
#define X86_PAT          FEAT_(FEAT_1_EDX, 16)
#define X86_CLFLUSH      FEAT_(FEAT_1_EDX, 19)
#define X86_HTT          FEAT_(FEAT_1_EDX, 28)
#define X86_FSGSBASE     FEAT_(FEAT_7_EBX, 0)
#define X86_SMEP         FEAT_(FEAT_7_EBX, 7)
#define X86_ERMS         FEAT_(FEAT_7_EBX, 9)
#define X86_SMAP         FEAT_(FEAT_7_EBX, 20)
#define X86_UMIP         FEAT_(FEAT_7_ECX, 2)
#define X86_MD_CLEAR     FEAT_(FEAT_7_EDX, 10)
#define X86_IBRSB        FEAT_(FEAT_7_EDX, 26)
#define X86_STIBP        FEAT_(FEAT_7_EDX, 27)
#define X86_L1D_FLUSH    FEAT_(FEAT_7_EDX, 28)
#define X86_ARCH_CAPS    FEAT_(FEAT_7_EDX, 29)
#define X86_SSBD         FEAT_(FEAT_7_EDX, 31)
#define X86_SVM          FEAT_(FEAT_E1_ECX, 2)
#define X86_TOPOEXT      FEAT_(FEAT_E1_ECX, 22)
#define X86_SYSCALL      FEAT_(FEAT_E1_EDX, 11)
#define X86_NX           FEAT_(FEAT_E1_EDX, 20)
#define X86_PAGE1GB      FEAT_(FEAT_E1_EDX, 26)
#define X86_RDTSCP       FEAT_(FEAT_E1_EDX, 27)
#define X86_ITSC         FEAT_(FEAT_E7_EDX, 8)
#define X86_AMD_IBPB     FEAT_(FEAT_E8_EBX, 12)
#define X86_AMD_IBRS     FEAT_(FEAT_E8_EBX, 14)
#define X86_AMD_STIBP    FEAT_(FEAT_E8_EBX, 15)
#define X86_AMD_SSBD     FEAT_(FEAT_E8_EBX, 24)
#define X86_XSAVEOPT     FEAT_(FEAT_D1_EAX, 0)
#define X86_XSAVEC       FEAT_(FEAT_D1_EAX, 1)
#define X86_LFENCE_DISP  FEAT_(FEAT_E21_EAX, 2)

enum cpu_vendor { VENDOR_UNKNOWN, VENDOR_INTEL, VENDOR_AMD, VENDOR_HYGON };

struct cpu_features {
    uint32_t word[FEAT_WORDS];
    enum cpu_vendor vendor;
    char vendor_id[13], model_name[49];
    unsigned int family, model, stepping;
    uint32_t max_leaf, max_ext_leaf;
    unsigned int phys_bits, virt_bits;
    bool cpuid_faulting; /* MSR_MISC_FEATURES can make CPUID fault */
};
extern struct cpu_features boot_cpu;

static inline bool cpu_has(unsigned int feature)
{
    return (boot_cpu.word[feature / 32u] >> (feature % 32u)) & 1u;
}

/* CR4 as each CPU has it while a guest's vcpu does not add its own bits. */
extern uint64_t hypervisor_cr4;

void cpu_features_init(void);               /* the boot CPU, before paging_init */
void cpu_features_enable(unsigned int cpu); /* CR0, CR4, EFER, PAT, MSRs of the calling CPU */

#endif
