/*
 * Small pieces of a PV vcpu's state that the guest sets by hypercall or by an emulated instruction:
 * kernel and user mode, segment bases, CR0.TS, CR4.
 *
 * While a vcpu runs its segment bases are in the MSRs: GS of the mode it is in, and the other
 * mode's in the shadow, as SWAPGS has it.
 */
#include <arch/cpufeature.h>
#include <arch/extable.h>
#include <arch/msr.h>
#include <arch/policy.h>
#include "bounce.h"
#include "pv.h"

bool pv_toggle_mode(struct vcpu *v)
{
    unsigned long flags = local_irq_save();
    bool ok = toggle_mode_irqs_off(v);

    local_irq_restore(flags);
    return ok;
}

/* Loads the selector of user mode's GS, 0 where that faults; the base then is the descriptor's.
 * Interrupts stay on (the load may need a page of the LDT): none of them looks at GS. */
static void load_user_gs(unsigned int sel)
{
    __asm__ volatile("swapgs\n"
                     "1: mov %0, %%gs\n"
                     "jmp 3f\n"
                     "2: xor %0, %0\n"
                     "jmp 1b\n"
                     "3: mfence\n"
                     "swapgs\n" EX_TABLE(1b, 2b)
                     : "+r"(sel)::"memory");
}

long do_set_segment_base(unsigned int which, unsigned long base)
{
    if (which != SEGBASE_GS_USER_SEL && !is_canonical(base)) {
        return -EINVAL;
    }
    switch (which) {
    case SEGBASE_FS:
        wrmsr(MSR_FS_BASE, base);
        return 0;
    case SEGBASE_GS_USER:
        wrmsr(MSR_SHADOW_GS_BASE, base);
        return 0;
    case SEGBASE_GS_KERNEL:
        wrmsr(MSR_GS_BASE, base);
        return 0;
    case SEGBASE_GS_USER_SEL:
        load_user_gs((uint16_t)base);
        return 0;
    default:
        return -EINVAL;
    }
}

long do_fpu_taskswitch(unsigned int set)
{
    struct pv_vcpu *pv = &current->arch.pv;

    if (set) {
        pv->ctrlreg[0] |= CR0_TS;
        write_cr0(read_cr0() | CR0_TS);
    } else {
        pv->ctrlreg[0] &= ~CR0_TS;
        __asm__ volatile("clts");
    }
    return 0;
}

/* Bits that a guest may choose, and bits of ours that it is shown. */
#define CR4_GUEST   (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
#define CR4_VISIBLE (CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)

unsigned long pv_fixup_cr4(const struct vcpu *v, unsigned long cr4)
{
    const struct cpu_policy *p = v->domain->arch.cpu_policy;
    unsigned long may = CR4_TSD | CR4_DE;

    if (policy_has(p, X86_FSGSBASE)) {
        may |= CR4_FSGSBASE;
    }
    if (policy_has(p, X86_XSAVE)) {
        may |= CR4_OSXSAVE;
    }
    return (hypervisor_cr4 & CR4_VISIBLE) | (cr4 & CR4_GUEST & may);
}

/* RDFSBASE and its like work only if the guest asked for them: it may count on its bases otherwise.
 */
unsigned long pv_make_cr4(const struct vcpu *v)
{
    unsigned long guest = v->arch.pv.ctrlreg[4];
    /* SGDT and its like work in ring 3 of a machine that does not show UMIP. */
    unsigned long cr4 = hypervisor_cr4 & ~(CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_UMIP);

    if (v->domain->arch.pv.isolated) {
        cr4 &= ~CR4_PGE; /* no translation of the hypervisor's survives the way to the guest */
    }
    return cr4 | (guest & (CR4_TSD | CR4_DE)) | (guest & hypervisor_cr4 & CR4_FSGSBASE);
}
