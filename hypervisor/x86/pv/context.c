/*
 * A PV vcpu's state as a whole: vcpu_guest_context (<xen/arch-x86/xen.h>) in and out, and the first
 * vcpu of a domain that the hypervisor builds itself.
 */
#include "pv.h"
#include <arch/cpufeature.h>
#include <arch/fpu.h>
#include <arch/msr.h>
#include <arch/pv.h>

/* Everything of a context that could fault later when it is loaded. */
static int check_context(const struct vcpu_guest_context *c)
{
    const unsigned long addresses[] = {
        c->user_regs.rip,         c->user_regs.rsp,        c->kernel_sp, c->event_callback_eip,
        c->failsafe_callback_eip, c->syscall_callback_eip, c->fs_base,   c->gs_base_kernel,
        c->gs_base_user};

    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        if (!is_canonical(addresses[i])) {
            return -EINVAL;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++) {
        if (!is_canonical(c->trap_ctxt[i].address)) {
            return -EINVAL;
        }
    }
    if (c->ldt_ents > 8192 || (c->ldt_base & ~PAGE_MASK) ||
        (c->ldt_ents && !guest_range_ok(c->ldt_base, c->ldt_ents, 8))) {
        return -EINVAL;
    }
    if (c->gdt_ents > FIRST_RESERVED_GDT_ENTRY) {
        return -EINVAL;
    }
    if (!(c->flags & VGCF_in_kernel) && c->ctrlreg[1] == 0) {
        return -EINVAL; /* user mode without a page table for it */
    }
    return 0;
}

static void set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct cpu_user_regs *r = &v->arch.user_regs;

    *r = c->user_regs;
    r->cs |= 3;
    r->ss |= 3;
    r->entry_vector = 0;
    v->arch.pv.iopl = (unsigned int)(r->rflags & X86_EFLAGS_IOPL);
    r->rflags = (r->rflags & ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM)) | X86_EFLAGS_IF | X86_EFLAGS_MBS;
    v->arch.kernel_mode = (c->flags & VGCF_in_kernel) != 0;
    if (c->flags & VGCF_I387_VALID) {
        fpu_set_fxsave(v, &c->fpu_ctxt);
    } else {
        fpu_reset(v);
    }
}

static void set_pv_state(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct pv_vcpu *pv = &v->arch.pv;

    memcpy(pv->trap_ctxt, c->trap_ctxt, sizeof(c->trap_ctxt));
    pv->vgc_flags = c->flags;
    pv->kernel_ss = c->kernel_ss;
    pv->kernel_sp = c->kernel_sp;
    pv->event_callback_eip = c->event_callback_eip;
    pv->failsafe_callback_eip = c->failsafe_callback_eip;
    pv->syscall_callback_eip = c->syscall_callback_eip;
    pv->fs_base = c->fs_base;
    pv->gs_base_kernel = c->gs_base_kernel;
    pv->gs_base_user = c->gs_base_user;
    pv->ctrlreg[0] = (c->ctrlreg[0] & CR0_TS) | (read_cr0() & ~CR0_TS);
    pv->ctrlreg[2] = c->ctrlreg[2];
    pv->ctrlreg[4] = pv_fixup_cr4(v, c->ctrlreg[4]);
    memset(pv->debugreg, 0, sizeof(pv->debugreg));
    for (unsigned int i = 0; i < 8; i++) {
        if (i != 4 && i != 5 && pv_set_debugreg(v, i, c->debugreg[i]) != 0) {
            pv->debugreg[i] = 0; /* as if the guest had not asked */
        }
    }
}

/* The tables that have references: descriptor tables and page tables. */
static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
    mfn_t user = c->ctrlreg[1] ? mfn(xen_cr3_to_pfn(c->ctrlreg[1])) : MFN_NONE;
    int rc = pv_set_guest_tables(v, mfn(xen_cr3_to_pfn(c->ctrlreg[3])), user);

    if (rc != 0) {
        return rc;
    }
    v->arch.pv.ldt_base = c->ldt_ents ? c->ldt_base : 0;
    v->arch.pv.ldt_ents = (unsigned int)c->ldt_ents;
    return pv_set_gdt(v, c->gdt_frames, (unsigned int)c->gdt_ents);
}

/* The kernel's table, and for user mode (to be in now) the user's. */
static bool same_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
    return mfn_eq(mfn(xen_cr3_to_pfn(c->ctrlreg[3])), v->arch.guest_table) &&
           ((c->flags & VGCF_in_kernel) ||
            mfn_eq(mfn(xen_cr3_to_pfn(c->ctrlreg[1])), v->arch.guest_table_user));
}

static int set_info_guest(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct domain *d = v->domain;
    int rc = check_context(c);

    if (rc != 0) {
        return rc;
    }
    if (!v->is_initialised) {
        rc = pv_put_old_guest_table(current);
        if (rc == 0) {
            rc = set_tables(v, c);
        }
        if (rc != 0) {
            return rc;
        }
        if (v->vcpu_id == 0) {
            d->vm_assist |= c->vm_assist & PV_VM_ASSIST_MASK;
        }
    } else if (!same_tables(v, c)) {
        return -EOPNOTSUPP; /* registers may be changed later on, tables may not */
    }
    set_registers(v, c);
    set_pv_state(v, c);
    update_cr3(v);
    v->is_initialised = true;
    if (c->flags & VGCF_online) {
        clear_bit(VPF_DOWN, &v->sched.pause_flags);
    } else {
        set_bit(VPF_DOWN, &v->sched.pause_flags);
    }
    return 0;
}

int arch_initialise_vcpu(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu_guest_context *c = xzalloc(struct vcpu_guest_context);
    int rc;

    if (!c) {
        return -ENOMEM;
    }
    rc = copy_from_guest(c, guest_handle_cast(arg, vcpu_guest_context_t), 1) ? -EFAULT
                                                                             : set_info_guest(v, c);
    xfree(c);
    return rc;
}

void arch_get_info_guest(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct pv_vcpu *pv = &v->arch.pv;

    memset(c, 0, sizeof(*c));
    fpu_get_fxsave(v, &c->fpu_ctxt);
    c->flags = pv->vgc_flags & ~(unsigned long)(VGCF_I387_VALID | VGCF_in_kernel | VGCF_online);
    c->flags |= VGCF_I387_VALID;
    c->flags |= v->arch.kernel_mode ? VGCF_in_kernel : 0;
    c->flags |= test_bit(VPF_DOWN, &v->sched.pause_flags) ? 0 : VGCF_online;
    c->user_regs = v->arch.user_regs;
    c->user_regs.entry_vector = 0;
    c->user_regs.error_code = 0;
    /* The kernel is shown at RPL 0, and its own view of IF. */
    if (v->arch.kernel_mode) {
        c->user_regs.cs &= 0xfffc;
    }
    c->user_regs.rflags &= ~X86_EFLAGS_IF;
    c->user_regs.rflags |= pv->iopl | (arch_events_enabled(v) ? X86_EFLAGS_IF : 0);
    memcpy(c->trap_ctxt, pv->trap_ctxt, sizeof(c->trap_ctxt));
    c->ldt_base = pv->ldt_base;
    c->ldt_ents = pv->ldt_ents;
    for (size_t i = 0; i < ARRAY_SIZE(pv->gdt_frames); i++) {
        c->gdt_frames[i] = mfn_is_none(pv->gdt_frames[i]) ? 0 : pv->gdt_frames[i].v;
    }
    c->gdt_ents = pv->gdt_ents;
    c->kernel_ss = pv->kernel_ss;
    c->kernel_sp = pv->kernel_sp;
    memcpy(c->ctrlreg, pv->ctrlreg, sizeof(c->ctrlreg));
    c->ctrlreg[3] = mfn_is_none(v->arch.guest_table) ? 0 : xen_pfn_to_cr3(v->arch.guest_table.v);
    c->ctrlreg[1] =
        mfn_is_none(v->arch.guest_table_user) ? 0 : xen_pfn_to_cr3(v->arch.guest_table_user.v);
    memcpy(c->debugreg, pv->debugreg, sizeof(c->debugreg));
    c->event_callback_eip = pv->event_callback_eip;
    c->failsafe_callback_eip = pv->failsafe_callback_eip;
    c->syscall_callback_eip = pv->syscall_callback_eip;
    c->vm_assist = v->domain->vm_assist;
    c->fs_base = pv->fs_base;
    c->gs_base_kernel = pv->gs_base_kernel;
    c->gs_base_user = pv->gs_base_user;
}

int pv_start_vcpu(struct vcpu *v, unsigned long entry, unsigned long sp, unsigned long start_info)
{
    struct cpu_user_regs *r = &v->arch.user_regs;

    if (!is_guest_address(entry) || !is_guest_address(sp) || !is_guest_address(start_info)) {
        return -EINVAL;
    }
    memset(r, 0, sizeof(*r));
    r->rip = entry;
    r->cs = FLAT_KERNEL_CS64;
    r->rsp = sp;
    r->ss = FLAT_KERNEL_SS64;
    r->rsi = start_info;
    r->rflags = X86_EFLAGS_IF | X86_EFLAGS_MBS;
    v->arch.kernel_mode = true;
    v->arch.pv.vgc_flags = VGCF_in_kernel | VGCF_online;
    arch_set_events_enabled(v, false);
    update_cr3(v);
    v->is_initialised = true;
    clear_bit(VPF_DOWN, &v->sched.pause_flags);
    return 0;
}
