/*
 * event_channel_op: copies the arguments in, calls core/event*.c, copies the answer out. A result
 * that cannot be written back leaves the port bound, as the ABI always had it; the guest can still
 * close it.
 */
#include <hospes/domain.h>
#include <hospes/hypercall.h>
#include <arch/current.h>

/* The ABI's private number for a reset that goes on: reset itself means a new one. */
#define EVTCHNOP_reset_cont 14

/* An operation that reads and answers in the same structure. */
#define INOUT(type, call)                                                         \
    ({                                                                            \
        struct type op;                                                           \
                                                                                  \
        if (copy_from_guest(&op, guest_handle_cast(arg, type##_t), 1)) {          \
            return -EFAULT;                                                       \
        }                                                                         \
        rc = (call);                                                              \
        if (rc == 0 && copy_to_guest(guest_handle_cast(arg, type##_t), &op, 1)) { \
            rc = -EFAULT;                                                         \
        }                                                                         \
        rc;                                                                       \
    })

/* One that only reads it. */
#define IN(type, call)                                                   \
    ({                                                                   \
        struct type op;                                                  \
                                                                         \
        if (copy_from_guest(&op, guest_handle_cast(arg, type##_t), 1)) { \
            return -EFAULT;                                              \
        }                                                                \
        (call);                                                          \
    })

DEFINE_XEN_GUEST_HANDLE(evtchn_alloc_unbound_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_bind_interdomain_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_bind_virq_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_bind_ipi_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_bind_pirq_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_bind_vcpu_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_close_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_send_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_status_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_unmask_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_reset_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_init_control_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_expand_array_t);
DEFINE_XEN_GUEST_HANDLE(evtchn_set_priority_t);

static long reset(domid_t id, bool resuming, XEN_GUEST_HANDLE(void) arg)
{
    struct domain *d;
    int rc = domain_by_guest_id_controlled(id, &d);

    if (rc == 0) {
        rc = evtchn_reset(d, resuming);
    }
    if (rc == -ERESTART) {
        return (long)hypercall_create_continuation(__HYPERVISOR_event_channel_op, "ih",
                                                   EVTCHNOP_reset_cont, guest_handle_addr(arg));
    }
    return rc;
}

static __noinline long do_rare_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    struct domain *d = current->domain;
    int rc;

    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        return INOUT(evtchn_alloc_unbound, evtchn_alloc_unbound(&op));
    case EVTCHNOP_bind_interdomain:
        return INOUT(evtchn_bind_interdomain, evtchn_bind_interdomain(&op));
    case EVTCHNOP_bind_virq:
        return INOUT(evtchn_bind_virq, evtchn_bind_virq(&op));
    case EVTCHNOP_bind_ipi:
        return INOUT(evtchn_bind_ipi, evtchn_bind_ipi(&op));
    case EVTCHNOP_bind_pirq:
        return INOUT(evtchn_bind_pirq, evtchn_bind_pirq(&op));
    case EVTCHNOP_status:
        return INOUT(evtchn_status, evtchn_status(&op));
    case EVTCHNOP_init_control:
        return INOUT(evtchn_init_control, evtchn_fifo_init_control(&op));
    case EVTCHNOP_close:
        return IN(evtchn_close, evtchn_close(d, op.port));
    case EVTCHNOP_bind_vcpu:
        return IN(evtchn_bind_vcpu, evtchn_bind_vcpu(op.port, op.vcpu));
    case EVTCHNOP_unmask:
        return IN(evtchn_unmask, evtchn_unmask(d, op.port));
    case EVTCHNOP_expand_array:
        return IN(evtchn_expand_array, evtchn_fifo_expand_array(&op));
    case EVTCHNOP_set_priority:
        return IN(evtchn_set_priority, evtchn_set_priority(d, op.port, op.priority));
    case EVTCHNOP_reset:
    case EVTCHNOP_reset_cont:
        return IN(evtchn_reset, reset(op.dom, cmd == EVTCHNOP_reset_cont, arg));
    default:
        return -ENOSYS;
    }
}

long do_event_channel_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    if (likely(cmd == EVTCHNOP_send)) {
        return IN(evtchn_send, evtchn_send(current->domain, op.port));
    }
    return do_rare_op(cmd, arg);
}

/* The form of before 2006: command and arguments in one structure; the old commands only. */
long do_event_channel_op_compat(XEN_GUEST_HANDLE(void) arg)
{
    struct evtchn_op op;
    unsigned long args = guest_handle_addr(arg) + offsetof(struct evtchn_op, u);

    if (copy_from_guest(&op, guest_handle_cast(arg, evtchn_op_t), 1)) {
        return -EFAULT;
    }
    switch (op.cmd) {
    case EVTCHNOP_bind_interdomain:
    case EVTCHNOP_bind_virq:
    case EVTCHNOP_bind_pirq:
    case EVTCHNOP_close:
    case EVTCHNOP_send:
    case EVTCHNOP_status:
    case EVTCHNOP_alloc_unbound:
    case EVTCHNOP_bind_ipi:
    case EVTCHNOP_bind_vcpu:
    case EVTCHNOP_unmask:
        return do_event_channel_op(op.cmd, guest_handle_from_addr(args, void));
    default:
        return -ENOSYS;
    }
}
