/*
 * SYSCALL: a hypercall when the guest's kernel makes it, a system call for the guest's kernel when
 * its user mode does. A guest's kernel and its processes run in the same ring; arch.kernel_mode
 * tells.
 */
#include "pv.h"

void pv_syscall(struct cpu_user_regs *regs);
void pv_syscall32(struct cpu_user_regs *regs);
void pv_sysenter(struct cpu_user_regs *regs);

#define SYSCALL_BYTES 2u /* 0F 05 */

static void hypercall(struct vcpu *v, struct cpu_user_regs *regs)
{
    v->hcall_preempted = false;
    regs->rax = hypercall_dispatch(regs->rax, regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8);
    if (v->hcall_preempted) {
        v->hcall_preempted = false;
        regs->rip -= SYSCALL_BYTES;
    }
}

void pv_syscall(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct pv_vcpu *pv = &v->arch.pv;

    local_irq_enable();
    if (likely(v->arch.kernel_mode)) {
        hypercall(v, regs);
    } else if (likely(pv->syscall_callback_eip)) {
        pv_bounce_to(pv->syscall_callback_eip,
                     (pv->vgc_flags & VGCF_syscall_disables_events) ? BOUNCE_MASK_EVENTS : 0u);
    } else {
        regs->rip -= SYSCALL_BYTES;
        pv_inject_hw_exception(X86_EXC_UD, 0);
    }
}

/* From 32-bit code (AMD): always for the guest's kernel. */
void pv_syscall32(struct cpu_user_regs *regs)
{
    struct pv_vcpu *pv = &current->arch.pv;

    local_irq_enable();
    if (pv->syscall32_callback_eip) {
        pv_bounce_to(pv->syscall32_callback_eip,
                     pv->syscall32_disables_events ? BOUNCE_MASK_EVENTS : 0u);
    } else {
        regs->rip -= SYSCALL_BYTES;
        pv_inject_hw_exception(X86_EXC_UD, 0);
    }
}

/* The CPU kept neither rip nor rsp: a fault can only be reported at 0. */
void pv_sysenter(struct cpu_user_regs *regs)
{
    struct pv_vcpu *pv = &current->arch.pv;

    local_irq_enable();
    regs->rflags |= X86_EFLAGS_IF;
    if (pv->sysenter_callback_eip) {
        pv_bounce_to(pv->sysenter_callback_eip,
                     pv->sysenter_disables_events ? BOUNCE_MASK_EVENTS : 0u);
    } else {
        pv_inject_hw_exception(X86_EXC_GP, 0);
    }
}
