/*
 * The last thing before a guest runs (again): what the guest has to be told (the exception that
 * brought us here, an NMI, events), and softirqs, among them the scheduler. Interrupts are off from
 * the last look at all of these until the guest runs, so nothing is missed. In line at the end of
 * what the entry points call; entry.S does the rest.
 */
#ifndef X86_PV_EXIT_H
#define X86_PV_EXIT_H

#include <hospes/softirq.h>
#include <arch/alternative.h>
#include "pv.h"

/* exit.c: something is to be done; interrupts are off before and on afterwards. */
void pv_exit_slow(struct vcpu *v);

/* The frame that a guest was left with is the one on top of this CPU's stack. */
static __always_inline struct cpu_info *info_of_frame(struct cpu_user_regs *regs)
{
    return container_of(regs, struct cpu_info, guest_cpu_user_regs);
}

/* An NMI that the guest can take now. */
static inline bool nmi_deliverable(const struct vcpu *v)
{
    return v->nmi_pending && !v->arch.nmi_masked && v->arch.pv.trap_ctxt[X86_EXC_NMI].address;
}

static __always_inline bool exit_work_pending(struct cpu_user_regs *regs, const struct vcpu *v)
{
    const unsigned long *softirqs =
        (const unsigned long *)((unsigned long)&percpu_softirq_pending +
                                info_of_frame(regs)->per_cpu_offset);

    return READ_ONCE(*softirqs) != 0 || (unlikely(v->nmi_pending) && nmi_deliverable(v)) ||
           (READ_ONCE(v->vcpu_info->evtchn_upcall_pending) &&
            !READ_ONCE(v->vcpu_info->evtchn_upcall_mask));
}

/* SYSRET gives the guest flat selectors and its rip in rcx: right after SYSCALL and at the start of
 * a handler. A rip that is not canonical would fault in ring 0 on the guest's stack. */
static __always_inline bool sysret_will_do(const struct cpu_user_regs *regs)
{
    return (regs->entry_vector & TRAP_SYSCALL) && is_canonical(regs->rip) &&
           regs->cs != FLAT_USER_CS32;
}

/* Returns with interrupts off; true: SYSRET will do. v is current, regs its frame. May go on with
 * another vcpu and never return. */
static __always_inline bool exit_to_guest(struct cpu_user_regs *regs, struct vcpu *v)
{
    /* First the exception: it belongs to the registers as they are. */
    while (unlikely(v->arch.pv.bounce.flags)) {
        local_irq_enable();
        pv_deliver_bounce(v);
    }
    local_irq_disable();
    while (unlikely(exit_work_pending(regs, v) || v->arch.pv.bounce.flags)) {
        pv_exit_slow(v);
        local_irq_disable();
    }
    /* In memory: two instructions. */
    __asm__("andq %1, %0; orq %2, %0"
            : "+m"(regs->rflags)
            : "e"(~(long)(X86_EFLAGS_IOPL | X86_EFLAGS_VM)), "e"(X86_EFLAGS_IF | X86_EFLAGS_MBS)
            : "cc");
    if (alternative_holds(ALT_VERW_EXIT)) {
        static const uint16_t selector = SEL_HYPERVISOR_DS32;

        __asm__ volatile("verw %0" ::"m"(selector) : "cc"); /* clears the CPU's buffers */
    }
    return sysret_will_do(regs);
}

#endif
