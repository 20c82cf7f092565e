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

/* Interrupts are off: plain reads, nobody on this CPU writes. Others who write send an interrupt.
 */
static __always_inline bool exit_work_pending(struct cpu_user_regs *regs, const struct vcpu *v)
{
    const char *percpu = (const char *)&percpu_softirq_pending;
    const struct vcpu_info *vi = v->vcpu_info;

    return v->arch.pv.bounce.flags != 0 ||
           *(const unsigned long *)(percpu + info_of_frame(regs)->per_cpu_offset) != 0 ||
           (unlikely(v->nmi_pending) && nmi_deliverable(v)) ||
           (unlikely(vi->evtchn_upcall_pending) && !vi->evtchn_upcall_mask);
}

/* Returns with interrupts off; entry.S looks whether SYSRET will do. v is current, regs its frame.
 * May go on with another vcpu and never return. */
static __always_inline void exit_to_guest(struct cpu_user_regs *regs, struct vcpu *v)
{
    local_irq_disable();
    while (unlikely(exit_work_pending(regs, v))) {
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
}

#endif
