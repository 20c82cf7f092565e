/*
 * A batch of hypercalls (<xen/xen.h>, struct multicall_entry): each as if made by itself, its
 * result written into its entry. Preemptible between entries; an entry that is preempted itself has
 * been rewritten, and the batch goes on with it the next time.
 *
 * Hypercalls that change where the caller goes on have no place in a batch: iret (it would change
 * the mode that the rest runs in), and multicall itself.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/multicall.h>

DEFINE_PER_CPU(struct multicall_state, multicall);

static unsigned long do_entry(const struct multicall_entry *call)
{
    if (call->op == __HYPERVISOR_multicall) {
        return (unsigned long)-EINVAL;
    }
    if (call->op == __HYPERVISOR_iret) {
        return (unsigned long)-ENOSYS;
    }
    return hypercall_dispatch(call->op, call->args[0], call->args[1], call->args[2], call->args[3],
                              call->args[4]);
}

/* One entry: 0: go on; 1: it is to be continued; -EFAULT. */
static int one_call(struct vcpu *v, XEN_GUEST_HANDLE(multicall_entry_t) calls)
{
    struct multicall_entry *call = &this_cpu(multicall).call;
    unsigned long result;

    if (copy_from_guest(call, calls, 1)) {
        return -EFAULT;
    }
    v->hcall_preempted = false;
    v->in_multicall = true;
    result = do_entry(call);
    v->in_multicall = false;
    if (v->hcall_preempted) {
        v->hcall_preempted = false;
        return copy_to_guest(calls, call, 1) ? -EFAULT : 1;
    }
    call->result = result;
    return copy_field_to_guest(calls, call, result) ? -EFAULT : 0;
}

long do_multicall(XEN_GUEST_HANDLE(void) arg, unsigned int nr_calls)
{
    XEN_GUEST_HANDLE(multicall_entry_t) calls = guest_handle_cast(arg, multicall_entry_t);
    struct vcpu *v = current;

    if (unlikely(v->in_multicall)) {
        return -EINVAL;
    }
    if (!guest_handle_okay(calls, nr_calls)) {
        return -EFAULT;
    }
    for (unsigned int i = 0; i < nr_calls; i++) {
        int rc;

        if (i != 0 && hypercall_preempt_check()) {
            return (long)hypercall_create_continuation(__HYPERVISOR_multicall, "hi",
                                                       guest_handle_addr(calls), nr_calls - i);
        }
        rc = one_call(v, calls);
        if (rc < 0) {
            return rc;
        }
        if (rc > 0) {
            return (long)hypercall_create_continuation(__HYPERVISOR_multicall, "hi",
                                                       guest_handle_addr(calls), nr_calls - i);
        }
        guest_handle_add(calls, 1);
    }
    return 0;
}
