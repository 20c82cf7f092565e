/* set_timer_op: the current vcpu's single-shot timer, as absolute system time; 0 stops it. */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>

/* A guest that asks for a time far ahead may have miscounted: it gets a tick soon, as on Xen. */
#define IMPLAUSIBLE SECONDS(1000000)

long do_set_timer_op(unsigned long timeout)
{
    struct vcpu *v = current;
    s_time_t at = (s_time_t)timeout;

    if (timeout == 0) {
        timer_stop(&v->singleshot_timer);
        return 0;
    }
    if (at < 0 || at - NOW() > IMPLAUSIBLE) {
        at = NOW() + MILLISECS(100);
    }
    timer_migrate(&v->singleshot_timer, smp_processor_id());
    timer_set(&v->singleshot_timer, at);
    return 0;
}
