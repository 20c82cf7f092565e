/*
 * CPUID of the boot processor, and the control registers that each CPU gets from it. All CPUs of a
 * machine are taken to be alike; one that lacks what the boot CPU has is not started (smp.c).
 */
#include <hospes/lib.h>
#include <hospes/param.h>
#include <arch/cpufeature.h>
#include <arch/msr.h>
#include <arch/pte.h>
#include <arch/spec_ctrl.h>

struct cpu_features boot_cpu __ro_after_init;
uint64_t hypervisor_cr4 __ro_after_init;

static bool opt_smep = true, opt_smap = true, opt_fsgsbase = true, opt_x2apic = true;
static bool opt_xsave = true;
bool_param(smep, "smep", opt_smep, "supervisor mode execution prevention");
bool_param(smap, "smap", opt_smap, "supervisor mode access prevention");
bool_param(fsgsbase, "fsgsbase", opt_fsgsbase, "FS/GS base instructions");
bool_param(x2apic, "x2apic", opt_x2apic, "x2APIC mode of the local APICs");
bool_param(xsave, "xsave", opt_xsave, "XSAVE for extended processor state");

static void __init read_words(void)
{
    struct cpuid_leaf l = cpuid(1, 0);
    uint32_t *w = boot_cpu.word;

    w[FEAT_1_ECX] = l.c;
    w[FEAT_1_EDX] = l.d;
    if (boot_cpu.max_leaf >= 7) {
        l = cpuid(7, 0);
        w[FEAT_7_EBX] = l.b;
        w[FEAT_7_ECX] = l.c;
        w[FEAT_7_EDX] = l.d;
    }
    if (boot_cpu.max_leaf >= 0xd) {
        w[FEAT_D1_EAX] = cpuid(0xd, 1).a;
    }
    l = cpuid(0x80000001u, 0);
    w[FEAT_E1_ECX] = l.c;
    w[FEAT_E1_EDX] = l.d;
    if (boot_cpu.max_ext_leaf >= 0x80000007u) {
        w[FEAT_E7_EDX] = cpuid(0x80000007u, 0).d;
    }
    if (boot_cpu.max_ext_leaf >= 0x80000008u) {
        l = cpuid(0x80000008u, 0);
        w[FEAT_E8_EBX] = l.b;
        boot_cpu.phys_bits = l.a & 0xff;
        boot_cpu.virt_bits = (l.a >> 8) & 0xff;
    }
    if (boot_cpu.max_ext_leaf >= 0x80000021u) {
        w[FEAT_E21_EAX] = cpuid(0x80000021u, 0).a;
    }
}

static void __init read_identity(void)
{
    struct cpuid_leaf l = cpuid(0, 0);
    uint32_t sig;

    boot_cpu.max_leaf = l.a;
    memcpy(boot_cpu.vendor_id, &l.b, 4);
    memcpy(boot_cpu.vendor_id + 4, &l.d, 4);
    memcpy(boot_cpu.vendor_id + 8, &l.c, 4);
    boot_cpu.vendor = strcmp(boot_cpu.vendor_id, "GenuineIntel") == 0   ? VENDOR_INTEL
                      : strcmp(boot_cpu.vendor_id, "AuthenticAMD") == 0 ? VENDOR_AMD
                      : strcmp(boot_cpu.vendor_id, "HygonGenuine") == 0 ? VENDOR_HYGON
                                                                        : VENDOR_UNKNOWN;
    boot_cpu.max_ext_leaf = cpuid(0x80000000u, 0).a;
    sig = cpuid(1, 0).a;
    boot_cpu.stepping = sig & 15;
    boot_cpu.family = (sig >> 8) & 15;
    boot_cpu.model = (sig >> 4) & 15;
    if (boot_cpu.family == 15) {
        boot_cpu.family += (sig >> 20) & 0xff;
    }
    if (boot_cpu.family >= 15 || (boot_cpu.family == 6 && boot_cpu.vendor == VENDOR_INTEL)) {
        boot_cpu.model |= ((sig >> 16) & 15) << 4;
    }
    for (uint32_t i = 0; i < 3 && boot_cpu.max_ext_leaf >= 0x80000004u; i++) {
        l = cpuid(0x80000002u + i, 0);
        memcpy(boot_cpu.model_name + i * sizeof(l), &l, sizeof(l));
    }
}

static void __init clear_feature(unsigned int f)
{
    boot_cpu.word[f / 32u] &= ~(1u << (f % 32u));
}

static void __init apply_options(void)
{
    uint64_t v;

    if (!opt_smep) {
        clear_feature(X86_SMEP);
    }
    if (!opt_smap) {
        clear_feature(X86_SMAP);
    }
    if (!opt_fsgsbase) {
        clear_feature(X86_FSGSBASE);
    }
    if (!opt_x2apic) {
        clear_feature(X86_X2APIC);
    }
    if (!opt_xsave) {
        clear_feature(X86_XSAVE);
        clear_feature(X86_AVX);
    }
    boot_cpu.cpuid_faulting =
        rdmsr_safe(MSR_PLATFORM_INFO, &v) == 0 && (v & PLATFORM_INFO_CPUID) != 0;
}

void __init cpu_features_init(void)
{
    boot_cpu.phys_bits = 36;
    boot_cpu.virt_bits = 48;
    read_identity();
    read_words();
    apply_options();
    hypervisor_cr4 = CR4_PAE | CR4_DE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    hypervisor_cr4 |= cpu_has(X86_MCE) ? CR4_MCE : 0;
    hypervisor_cr4 |= cpu_has(X86_PGE) ? CR4_PGE : 0;
    hypervisor_cr4 |= cpu_has(X86_FSGSBASE) ? CR4_FSGSBASE : 0;
    hypervisor_cr4 |= cpu_has(X86_SMEP) ? CR4_SMEP : 0;
    hypervisor_cr4 |= cpu_has(X86_SMAP) ? CR4_SMAP : 0;
    hypervisor_cr4 |= cpu_has(X86_UMIP) ? CR4_UMIP : 0;
    hypervisor_cr4 |= cpu_has(X86_XSAVE) ? CR4_OSXSAVE : 0;
    printk("CPU: %s, family %#x model %#x stepping %#x, %u bits physical; NX%s%s%s%s%s%s\n",
           boot_cpu.model_name[0] ? boot_cpu.model_name : boot_cpu.vendor_id, boot_cpu.family,
           boot_cpu.model, boot_cpu.stepping, boot_cpu.phys_bits, cpu_has(X86_SMEP) ? " SMEP" : "",
           cpu_has(X86_SMAP) ? " SMAP" : "", cpu_has(X86_UMIP) ? " UMIP" : "",
           cpu_has(X86_FSGSBASE) ? " FSGSBASE" : "", cpu_has(X86_XSAVE) ? " XSAVE" : "",
           boot_cpu.cpuid_faulting ? " CPUID faulting" : "");
    spec_ctrl_init();
}

void cpu_features_enable(unsigned int cpu)
{
    uint64_t unused;

    (void)cpu;
    write_cr4(hypervisor_cr4);
    write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
    wrmsr(MSR_EFER, (rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE) & ~EFER_SVME);
    if (cpu_has(X86_PAT)) {
        wrmsr(MSR_PAT, HYP_PAT);
    }
    if (cpu_has(X86_RDTSCP)) {
        wrmsr(MSR_TSC_AUX, 0);
    }
    if (boot_cpu.cpuid_faulting && rdmsr_safe(MSR_MISC_FEATURES, &unused) == 0) {
        wrmsr(MSR_MISC_FEATURES, 0); /* the context switch turns it on for guests */
    }
    spec_ctrl_init_cpu();
}
