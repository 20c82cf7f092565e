/*
 * The last thing before a guest runs (again): softirqs, among them the scheduler, then what the
 * guest has to be told: the exception that brought us here, an NMI, events. Interrupts are off from
 * the last look at all of these until the guest runs, so nothing is missed.
 */
#include <hospes/softirq.h>
#include <arch/spec_ctrl.h>
#include "pv.h"

bool pv_exit_work(struct cpu_user_regs *regs);

/* Makes the next thing to deliver pending; false: none. */
static bool next_delivery(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->arch.pv;

    if (pv->bounce.flags) {
        return true;
    }
    if (unlikely(v->nmi_pending) && !v->arch.nmi_masked && pv->trap_ctxt[X86_EXC_NMI].address) {
        v->nmi_pending = 0;
        v->arch.nmi_masked = 1;
        pv_inject_hw_exception(X86_EXC_NMI, 0);
        return true;
    }
    if (vcpu_event_delivery_pending(v)) {
        pv_bounce_to(pv->event_callback_eip, BOUNCE_MASK_EVENTS);
        return true;
    }
    return false;
}

/* SYSRET gives the guest flat selectors and its rip in rcx: right after SYSCALL and at the start of
 * a handler. A rip that is not canonical would fault in ring 0 on the guest's stack. */
static bool sysret_will_do(const struct cpu_user_regs *regs)
{
    return (regs->entry_vector & TRAP_SYSCALL) && is_canonical(regs->rip) &&
           regs->cs != FLAT_USER_CS32;
}

bool pv_exit_work(struct cpu_user_regs *regs)
{
    struct vcpu *v = current;

    /* First the exception: it belongs to the registers as they are. */
    if (v->arch.pv.bounce.flags) {
        local_irq_enable();
        pv_deliver_bounce(v);
    }
    for (;;) {
        local_irq_disable();
        if (unlikely(this_cpu(softirq_pending))) {
            local_irq_enable();
            do_softirq(); /* may go on with another vcpu and never return */
        } else if (unlikely(next_delivery(v))) {
            local_irq_enable();
            pv_deliver_bounce(v);
        } else {
            break;
        }
    }
    regs->rflags &= ~(X86_EFLAGS_IOPL | X86_EFLAGS_VM);
    regs->rflags |= X86_EFLAGS_IF | X86_EFLAGS_MBS;
    if (spec_ctrl_flags & SPEC_VERW_EXIT) {
        static const uint16_t selector = SEL_HYPERVISOR_DS32;

        __asm__ volatile("verw %0" ::"m"(selector) : "cc"); /* clears the CPU's buffers */
    }
    return sysret_will_do(regs);
}
