/*
 * The architecture's part of domains and vcpus: made, reset, given back. PV guests only as yet: HVM
 * is refused in arch_sanitise_domain_config.
 */
#include "pv.h"
#include <arch/fpu.h>
#include <arch/msr.h>
#include <arch/pirq.h>
#include <arch/policy.h>
#include <arch/pv.h>
#include <arch/xpti.h>

int arch_sanitise_domain_config(struct xen_domctl_createdomain *config)
{
    if (config->flags & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap)) {
        return -EOPNOTSUPP;
    }
    if (config->arch.emulation_flags & ~XEN_X86_EMU_PIT) {
        return -EINVAL;
    }
    if (config->arch.misc_flags & ~XEN_X86_MSR_RELAXED) {
        return -EINVAL;
    }
    return 0;
}

int arch_domain_create(struct domain *d, const struct xen_domctl_createdomain *config)
{
    int rc;

    spin_lock_init(&d->arch.pv.pt_lock, RANK_PV_PAGETABLE);
    if (d->is_idle || d->is_xen) {
        return 0;
    }
    d->arch.pv.isolated = xpti_wanted(d->is_hardware);
    d->arch.emulation_flags = config->arch.emulation_flags;
    d->arch.msr_relaxed = config->arch.misc_flags & XEN_X86_MSR_RELAXED;
    d->arch.cpu_policy = policy_create(true, d->is_hardware);
    if (!d->arch.cpu_policy) {
        return -ENOMEM;
    }
    rc = pv_perdomain_create(d);
    if (rc != 0) {
        policy_destroy(d->arch.cpu_policy);
        d->arch.cpu_policy = NULL;
    }
    return rc;
}

void arch_domain_destroy(struct domain *d)
{
    if (d->is_idle || d->is_xen) {
        return;
    }
    pirq_domain_free(d);
    pv_forget_domain(d);
    pv_perdomain_destroy(d);
    policy_destroy(d->arch.cpu_policy);
    d->arch.cpu_policy = NULL;
    domain_set_e820(d, NULL, 0);
}

/* Each step finds nothing left to do when it is called again. */
int arch_domain_relinquish(struct domain *d)
{
    struct vcpu *v;
    int rc;

    for_each_vcpu (d, v) {
        rc = pv_drop_guest_tables(v);
        if (rc != 0) {
            return rc;
        }
        pv_destroy_ldt(v);
        pv_destroy_gdt(v);
    }
    pirq_domain_release(d);
    return pv_relinquish_memory(d);
}

static void reset_registers(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->arch.pv;

    memset(&v->arch.user_regs, 0, sizeof(v->arch.user_regs));
    v->arch.kernel_mode = true;
    v->arch.nmi_masked = 0;
    pv->ctrlreg[0] = read_cr0() & ~CR0_TS;
    pv->ctrlreg[4] = pv_fixup_cr4(v, 0);
    pv->bounce.flags = 0;
    fpu_reset(v);
}

int arch_vcpu_create(struct vcpu *v)
{
    int rc;

    v->arch.guest_table = MFN_NONE;
    v->arch.guest_table_user = MFN_NONE;
    if (v->domain->is_idle) {
        return 0;
    }
    v->arch.pv.trap_ctxt = xzalloc_array(struct trap_info, 256);
    if (!v->arch.pv.trap_ctxt) {
        return -ENOMEM;
    }
    rc = fpu_create(v);
    if (rc == 0) {
        rc = pv_create_gdt_ldt_l1tab(v);
    }
    if (rc != 0) {
        arch_vcpu_destroy(v);
        return rc;
    }
    reset_registers(v);
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    if (v->domain->is_idle) {
        return;
    }
    pv_destroy_gdt_ldt_l1tab(v);
    fpu_destroy(v);
    xfree(v->arch.pv.trap_ctxt);
    v->arch.pv.trap_ctxt = NULL;
}

int arch_vcpu_reset(struct vcpu *v)
{
    int rc;

    pv_destroy_ldt(v);
    v->arch.pv.ldt_ents = 0;
    pv_destroy_gdt(v);
    rc = pv_drop_guest_tables(v);
    if (rc == 0) {
        reset_registers(v);
    }
    return rc;
}

void arch_get_xen_caps(char *buf, size_t size)
{
    strlcpy(buf, "xen-3.0-x86_64 ", size);
}

bool arch_events_enabled(const struct vcpu *v)
{
    return READ_ONCE(v->vcpu_info->evtchn_upcall_mask) == 0;
}

void arch_set_events_enabled(struct vcpu *v, bool on)
{
    WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, on ? 0 : 1);
}

void arch_vcpu_dump(const struct vcpu *v)
{
    const struct cpu_user_regs *r = v == current ? guest_cpu_user_regs() : &v->arch.user_regs;

    printk(LOG_G_INFO "%pv (%s mode): rip %04x:%016lx rflags %08lx rsp %04x:%016lx\n",
           (const void *)v, v->arch.kernel_mode ? "kernel" : "user", r->cs, r->rip, r->rflags,
           r->ss, r->rsp);
    printk(LOG_G_INFO "  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx,
           r->rdx);
    printk(LOG_G_INFO "  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp,
           r->r8);
    printk(LOG_G_INFO "  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11,
           r->r12);
    printk(LOG_G_INFO "  r13 %016lx r14 %016lx r15 %016lx cr3 %016lx\n", r->r13, r->r14, r->r15,
           (unsigned long)v->arch.cr3.v);
    printk(LOG_G_INFO "  guest cr2 %016lx, events %s\n", v->arch.pv.ctrlreg[2],
           arch_events_enabled(v) ? "on" : "masked");
    if (v == current) {
        for (unsigned int n = 0; n < 4; n++) {
            uint64_t word[4];

            if (raw_copy_from_guest(word, r->rsp + n * sizeof(word), sizeof(word)) != 0) {
                break;
            }
            printk(LOG_G_INFO "  stack %016lx %016lx %016lx %016lx\n", word[0], word[1], word[2],
                   word[3]);
        }
    }
}
