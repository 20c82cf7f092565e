/* The slow half of the way to a guest (exit.h). */
#include "exit.h"

bool pv_exit_work(struct cpu_user_regs *regs);

/* Makes the next thing to deliver pending; false: none. */
static bool next_delivery(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->arch.pv;

    if (pv->bounce.flags) {
        return true;
    }
    if (unlikely(nmi_deliverable(v))) {
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

void pv_exit_slow(struct vcpu *v)
{
    local_irq_enable();
    if (this_cpu(softirq_pending)) {
        do_softirq(); /* may go on with another vcpu and never return */
    } else if (next_delivery(v)) {
        pv_deliver_bounce(v);
    }
}

/* For what ends in assembly: interrupts and switches of context. */
bool pv_exit_work(struct cpu_user_regs *regs)
{
    return exit_to_guest(regs, current);
}
