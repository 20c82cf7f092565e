/* The slow half of the way to a guest (exit.h). */
#include "bounce.h"
#include "exit.h"

void pv_exit_work(struct cpu_user_regs *regs);

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

/* One thing at a time, and first the exception: it belongs to the registers as they are. */
void pv_exit_slow(struct vcpu *v)
{
    local_irq_enable();
    if (v->arch.pv.bounce.flags) {
        pv_deliver_bounce(v);
    } else if (this_cpu(softirq_pending)) {
        do_softirq(); /* may go on with another vcpu and never return */
    } else if (likely(!v->nmi_pending) && likely(v->arch.kernel_mode) &&
               likely(v->arch.pv.event_callback_eip)) {
        /* Nothing but an event, into the kernel: at once. */
        if (vcpu_event_delivery_pending(v) &&
            !bounce_now(v, guest_cpu_user_regs(), v->arch.pv.event_callback_eip, BOUNCE_MASK_EVENTS,
                        0, true)) {
            pv_bounce_refused(v);
        }
    } else if (next_delivery(v)) {
        pv_deliver_bounce(v);
    }
}

/* For what ends in assembly: interrupts and switches of context. */
void pv_exit_work(struct cpu_user_regs *regs)
{
    exit_to_guest(regs, current);
}
