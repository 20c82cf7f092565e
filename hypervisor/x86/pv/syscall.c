/*
 * SYSCALL: a hypercall when the guest's kernel makes it, a system call for the guest's kernel when
 * its user mode does. A guest's kernel and its processes run in the same ring; arch.kernel_mode
 * tells.
 *
 * The functions are entered with interrupts off and end as exit_to_guest does (exit.h).
 */
#include "bounce.h"
#include "exit.h"

void pv_syscall(struct cpu_user_regs *regs);
void pv_syscall32(struct cpu_user_regs *regs);
void pv_sysenter(struct cpu_user_regs *regs);

#define SYSCALL_BYTES 2u /* 0F 05 */

static __always_inline void hypercall(struct vcpu *v, struct cpu_user_regs *regs)
{
    regs->rax = hypercall_dispatch_from(v->domain, regs->rax, regs->rdi, regs->rsi, regs->rdx,
                                        regs->r10, regs->r8);
    if (unlikely(v->hcall_preempted)) {
        v->hcall_preempted = false;
        regs->rip -= SYSCALL_BYTES;
    }
}

/* From user mode; interrupts are still off. */
static void system_call(struct vcpu *v, struct cpu_user_regs *regs)
{
    struct pv_vcpu *pv = &v->arch.pv;
    bool ok;

    if (unlikely(!pv->syscall_callback_eip) || unlikely(!toggle_mode_irqs_off(v))) {
        local_irq_enable();
        regs->rip -= SYSCALL_BYTES;
        pv_inject_hw_exception(X86_EXC_UD, 0);
        return;
    }
    local_irq_enable();
    if (pv->vgc_flags & VGCF_syscall_disables_events) {
        ok = bounce_now(v, regs, pv->syscall_callback_eip, BOUNCE_MASK_EVENTS, 0, false);
    } else {
        ok = bounce_now(v, regs, pv->syscall_callback_eip, 0, 0, false);
    }
    if (unlikely(!ok)) {
        pv_bounce_refused(v);
    }
}

void pv_syscall(struct cpu_user_regs *regs)
{
    struct vcpu *v = info_of_frame(regs)->current_vcpu;

    if (likely(v->arch.kernel_mode)) {
        local_irq_enable();
        hypercall(v, regs);
    } else {
        system_call(v, regs);
    }
    exit_to_guest(regs, v);
}

/* From 32-bit code (AMD): always for the guest's kernel. */
void pv_syscall32(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct pv_vcpu *pv = &v->arch.pv;

    local_irq_enable();
    if (pv->syscall32_callback_eip) {
        pv_bounce_to(pv->syscall32_callback_eip,
                     pv->syscall32_disables_events ? BOUNCE_MASK_EVENTS : 0u);
    } else {
        regs->rip -= SYSCALL_BYTES;
        pv_inject_hw_exception(X86_EXC_UD, 0);
    }
    exit_to_guest(regs, v);
}

/* The CPU kept neither rip nor rsp: a fault can only be reported at 0. */
void pv_sysenter(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;
    struct pv_vcpu *pv = &v->arch.pv;

    local_irq_enable();
    regs->rflags |= X86_EFLAGS_IF;
    if (pv->sysenter_callback_eip) {
        pv_bounce_to(pv->sysenter_callback_eip,
                     pv->sysenter_disables_events ? BOUNCE_MASK_EVENTS : 0u);
    } else {
        pv_inject_hw_exception(X86_EXC_GP, 0);
    }
    exit_to_guest(regs, v);
}
