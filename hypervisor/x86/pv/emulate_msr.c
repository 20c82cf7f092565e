/*
 * RDMSR and WRMSR of PV guest kernels. What a guest may know or change is listed; anything else is
 * #GP, or (XEN_X86_MSR_RELAXED) reads as 0 and ignores writes. No row passes a value of the guest's
 * through to an MSR without having checked all of it.
 */
#include "pv.h"
#include <arch/cpufeature.h>
#include <arch/msr.h>
#include <arch/policy.h>
#include <arch/pv.h>
#include <xen/arch-x86/cpuid.h>
#include "emulate.h"

#define MSR_PLATFORM_ID    0x00000017u
#define MSR_UCODE_REV      0x0000008bu /* AMD: PATCH_LEVEL */
#define MSR_MCG_CAP        0x00000179u
#define MSR_MCG_STATUS     0x0000017au
#define MSR_MCG_CTL        0x0000017bu
#define MSR_MC0_CTL        0x00000400u
#define MSR_MC31_MISC      0x0000047fu
#define MSR_AMD_SYSCFG     0xc0010010u
#define MSR_AMD_IORR_BASE0 0xc0010016u
#define MSR_AMD_TOP_MEM2   0xc001001du
#define MSR_AMD_INTPEND    0xc0010055u
#define MSR_AMD_MMIO_CONF  0xc0010058u
#define MSR_AMD_PSTATE_LIM 0xc0010061u
#define MSR_AMD_PSTATE7    0xc001006bu
#define HWCR_TSC_FREQ_SEL  BIT(24)
#define APIC_BASE_DEFAULT  0xfee00000ul
#define MISC_ENABLE_PERF   BIT(7)
#define MISC_ENABLE_NO_BTS (BIT(11) | BIT(12))
#define MISC_ENABLE_MWAIT  BIT(18)

static bool is_amd(const struct vcpu *v)
{
    enum cpu_vendor vendor = v->domain->arch.cpu_policy->vendor;

    return vendor == VENDOR_AMD || vendor == VENDOR_HYGON;
}

static uint64_t guest_efer(const struct vcpu *v)
{
    return rdmsr(MSR_EFER) & (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
}

static uint64_t guest_apic_base(const struct vcpu *v)
{
    return APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (v->vcpu_id == 0 ? APIC_BASE_BSP : 0);
}

/* AMD's own. */
static bool read_amd(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (!is_amd(v)) {
        return false;
    }
    *value = 0;
    switch (msr) {
    case MSR_AMD_HWCR:
        *value = HWCR_TSC_FREQ_SEL;
        return true;
    case MSR_AMD_DE_CFG:
        *value = AMD_DE_CFG_LFENCE;
        return true;
    case MSR_AMD_MMIO_CONF:
        return v->domain->is_hardware ? rdmsr_safe(msr, value) == 0 : true;
    case MSR_AMD_SYSCFG:
    case MSR_AMD_INTPEND:
        return true;
    default:
        return (msr >= MSR_AMD_IORR_BASE0 && msr <= MSR_AMD_TOP_MEM2) ||
               (msr >= MSR_AMD_PSTATE_LIM && msr <= MSR_AMD_PSTATE7);
    }
}

static bool read_msr(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = 0;
    switch (msr) {
    case MSR_TSC:
        *value = rdtsc();
        return true;
    case MSR_APIC_BASE:
        *value = guest_apic_base(v);
        return true;
    case MSR_UCODE_REV:
        return rdmsr_safe(msr, value) == 0;
    case MSR_PLATFORM_ID:
    case MSR_PLATFORM_INFO:
        return !is_amd(v);
    case MSR_MISC_ENABLE:
        if (rdmsr_safe(msr, value) != 0) {
            return false;
        }
        *value &= ~(MISC_ENABLE_PERF | MISC_ENABLE_MWAIT);
        *value |= MISC_ENABLE_NO_BTS;
        return true;
    case MSR_PAT:
        *value = HYP_PAT;
        return true;
    case MSR_MCG_CAP: /* no banks: machine checks are the hypervisor's */
    case MSR_MCG_STATUS:
        return true;
    case MSR_EFER:
        *value = guest_efer(v);
        return true;
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_SHADOW_GS_BASE:
        *value = rdmsr(msr);
        return true;
    case MSR_TSC_AUX:
        *value = v->arch.pv.tsc_aux;
        return policy_has(v->domain->arch.cpu_policy, X86_RDTSCP);
    default:
        return read_amd(v, msr, value);
    }
}

/* MSR 0x40000000: the page that shall become a hypercall page. */
static bool write_hypercall_page(struct vcpu *v, uint64_t value)
{
    struct page_info *pg;
    mfn_t m;

    if ((value & ~PAGE_MASK) ||
        get_guest_frame(v->domain, gfn(value >> PAGE_SHIFT), true, &pg, &m)) {
        return false;
    }
    if (get_page_type(pg, PGT_WRITABLE, false) != 0) {
        put_page(pg);
        return false;
    }
    hypercall_page_fill(v->domain, mfn_to_virt(m));
    put_page_and_type(pg);
    return true;
}

static bool write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t now;

    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_SHADOW_GS_BASE:
        if (!is_canonical(value)) {
            return false;
        }
        wrmsr(msr, value);
        return true;
    case MSR_TSC_AUX:
        if (value >> 32 || !policy_has(v->domain->arch.cpu_policy, X86_RDTSCP)) {
            return false;
        }
        v->arch.pv.tsc_aux = (uint32_t)value;
        wrmsr(MSR_TSC_AUX, value);
        return true;
    case MSR_UCODE_REV: /* Intel: written before CPUID to read the revision */
        return !is_amd(v);
    case MSR_MCG_STATUS:
        return value == 0;
    case XEN_CPUID_FIRST_LEAF:
        return write_hypercall_page(v, value);
    default:
        if (msr >= MSR_MC0_CTL && msr <= MSR_MC31_MISC) {
            return value == 0;
        }
        /* What would change nothing is fine. */
        return read_msr(v, msr, &now) && now == value && msr != MSR_TSC;
    }
}

enum emulation emulate_rdmsr(const struct insn *i, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    uint64_t value;

    if (!read_msr(v, regs->ecx, &value)) {
        printk(LOG_G_DEBUG "%pv: RDMSR %08x refused\n", (void *)v, regs->ecx);
        /* A kernel that has no #GP handler yet lives with a 0 (<xen/arch-x86/xen.h>, trap_info). */
        if (!v->domain->arch.msr_relaxed && v->arch.pv.trap_ctxt[X86_EXC_GP].address) {
            return EMU_REFUSED;
        }
        value = 0;
    }
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
    return EMU_DONE;
}

enum emulation emulate_wrmsr(const struct insn *i, struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    uint64_t value = (uint64_t)regs->edx << 32 | regs->eax;

    if (!write_msr(v, regs->ecx, value)) {
        printk(LOG_G_DEBUG "%pv: WRMSR %08x, %016lx refused\n", (void *)v, regs->ecx,
               (unsigned long)value);
        return v->domain->arch.msr_relaxed ? EMU_DONE : EMU_REFUSED;
    }
    return EMU_DONE;
}
