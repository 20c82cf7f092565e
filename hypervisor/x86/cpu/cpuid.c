/* CPUID as the running vcpu sees it: its domain's policy, what varies with its state, and the
 * leaves at 0x40000000 that say under which hypervisor it runs (<xen/arch-x86/cpuid.h>). */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <arch/fpu.h>
#include <arch/msr.h>
#include <arch/policy.h>
#include <arch/time.h>
#include <xen/arch-x86/cpuid.h>

#define OSXSAVE (1u << 27)
#define MTRR    (1u << 12)
/* The ABI version that xen_version gives too. */
#define XEN_MAJOR 4u
#define XEN_MINOR 17u

static void hypervisor_leaf(const struct domain *d, uint32_t leaf, uint32_t subleaf,
                            struct cpuid_leaf *out)
{
    struct time_scale scale;

    switch (leaf - XEN_CPUID_FIRST_LEAF) {
    case 0:
        *out =
            (struct cpuid_leaf){XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES), XEN_CPUID_SIGNATURE_EBX,
                                XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX};
        break;
    case 1:
        out->a = (XEN_MAJOR << 16) | XEN_MINOR;
        break;
    case 2:
        out->a = 1; /* pages of hypercall entries */
        out->b = XEN_CPUID_FIRST_LEAF;
        out->c = d->is_hvm ? 0 : XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3:
        if (subleaf == 0) {
            out->a = 2; /* the host's TSC is reliable and not emulated */
            out->c = (uint32_t)tsc_khz();
        } else if (subleaf == 1) {
            set_time_scale(&scale, tsc_khz() * 1000);
            out->c = scale.mul_frac;
            out->d = (uint32_t)(uint8_t)scale.shift;
        } else if (subleaf == 2) {
            out->a = (uint32_t)tsc_khz();
        }
        break;
    case 5:
        if (subleaf == 0 && !d->is_hvm) {
            out->b = arch_phys_bits() & XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK;
        }
        break;
    default:
        break;
    }
}

static void basic_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, bool enlightened,
                       struct cpuid_leaf *out)
{
    const struct cpu_policy *p = v->domain->arch.cpu_policy;

    switch (leaf) {
    case 4:
        if (subleaf < POLICY_CACHE) {
            *out = p->cache[subleaf];
        }
        break;
    case 7:
        if (subleaf < ARRAY_SIZE(p->feat)) {
            *out = p->feat[subleaf];
        }
        break;
    case 0xb:
        out->c = subleaf & 0xff;
        break;
    case 0xd:
        if (subleaf < POLICY_XSTATE) {
            *out = p->xstate[subleaf];
            if (subleaf == 0 && p->xcr0_max) {
                out->b = fpu_xsave_size(v->arch.xcr0);
            } else if (subleaf == 1 && (p->xstate[1].a & 2)) {
                out->b = fpu_xsave_size_compacted(v->arch.xcr0);
            }
        }
        break;
    default:
        *out = p->basic[leaf];
        break;
    }
    if (leaf == 1) {
        /* Linux is known to need OSXSAVE before it has set it itself: part of the PV ABI by now. */
        if ((v->arch.pv.ctrlreg[4] & CR4_OSXSAVE) || (enlightened && policy_has(p, X86_XSAVE))) {
            out->c |= OSXSAVE;
        }
        /* What a Domain 0 looks at to know that there are memory type hypercalls. */
        if (enlightened && v->domain->is_hardware) {
            out->d |= boot_cpu.word[FEAT_1_EDX] & MTRR;
        }
    }
}

void guest_cpuid(uint32_t leaf, uint32_t subleaf, bool enlightened, struct cpuid_leaf *out)
{
    const struct vcpu *v = current;
    const struct cpu_policy *p = v->domain->arch.cpu_policy;

    *out = (struct cpuid_leaf){0};
    if (leaf < POLICY_BASIC) {
        if (leaf <= p->basic[0].a) {
            basic_leaf(v, leaf, subleaf, enlightened, out);
        }
    } else if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES)) {
        hypervisor_leaf(v->domain, leaf, subleaf, out);
    } else if (leaf >= 0x80000000u && leaf <= p->ext[0].a && leaf - 0x80000000u < POLICY_EXT) {
        *out = p->ext[leaf - 0x80000000u];
    }
}
