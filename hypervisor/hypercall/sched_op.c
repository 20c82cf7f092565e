/*
 * sched_op: what a vcpu asks of the scheduler: to yield, to block, to poll for events, to end its
 * domain. Numbers and structures: <xen/sched.h>.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <xen/sched.h>

#define MAX_POLL_PORTS 128u

/* Deliver what comes while blocked: blocking enables events, as sti;hlt does. */
static long block(void)
{
    arch_set_events_enabled(current, true);
    vcpu_block();
    return 0;
}

/* 1: one of them is pending already; 0: none is; -EFAULT, -EINVAL. */
static int any_port_pending(const struct sched_poll *poll, evtchn_port_t *last)
{
    unsigned int i;
    int rc;

    for (i = 0; i < poll->nr_ports; i++) {
        if (copy_from_guest_offset(last, poll->ports, i, 1)) {
            return -EFAULT;
        }
        rc = evtchn_poll(current->domain, *last);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* From the moment the vcpu says what it polls for, an event ends the poll. */
static long poll_ports(const struct sched_poll *poll)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    evtchn_port_t port = 0;
    int rc;

    set_bit(VPF_BLOCKED, &v->sched.pause_flags);
    WRITE_ONCE(v->sched.poll_evtchn, ~0u);
    set_bit(v->vcpu_id, d->evtchn.poll_mask);
    smp_mb();

    /* An event for the vcpu itself may have come before VPF_BLOCKED was set, and who woke it may
     * have seen one half of the poll only. */
    rc = vcpu_event_delivery_pending(v) || !test_bit(v->vcpu_id, d->evtchn.poll_mask) ||
                 !test_bit(VPF_BLOCKED, &v->sched.pause_flags)
             ? 1
             : any_port_pending(poll, &port);
    if (rc != 0) {
        WRITE_ONCE(v->sched.poll_evtchn, 0u);
        clear_bit(v->vcpu_id, d->evtchn.poll_mask);
        clear_bit(VPF_BLOCKED, &v->sched.pause_flags);
        return rc < 0 ? rc : 0;
    }
    if (poll->nr_ports == 1) {
        WRITE_ONCE(v->sched.poll_evtchn, port);
        smp_mb();
        /* Nobody clears the port of a poll that has just ended. */
        if (!test_bit(v->vcpu_id, d->evtchn.poll_mask)) {
            WRITE_ONCE(v->sched.poll_evtchn, 0u);
        }
    }
    if (poll->timeout != 0) {
        timer_migrate(&v->poll_timer, smp_processor_id());
        timer_set(&v->poll_timer, (s_time_t)min(poll->timeout, (uint64_t)STIME_MAX));
    }
    raise_softirq(SCHEDULE_SOFTIRQ);
    return 0;
}

static long do_poll(XEN_GUEST_HANDLE(void) arg)
{
    struct sched_poll poll;

    if (copy_from_guest(&poll, guest_handle_cast(arg, sched_poll_t), 1)) {
        return -EFAULT;
    }
    if (poll.nr_ports > MAX_POLL_PORTS) {
        return -EINVAL;
    }
    if (!guest_handle_okay(poll.ports, poll.nr_ports)) {
        return -EFAULT;
    }
    return poll_ports(&poll);
}

static long do_shutdown(XEN_GUEST_HANDLE(void) arg, bool only_code)
{
    struct domain *d = current->domain;
    struct sched_shutdown s;

    if (copy_from_guest(&s, guest_handle_cast(arg, sched_shutdown_t), 1)) {
        return -EFAULT;
    }
    if (!only_code) {
        domain_shutdown(d, (uint8_t)s.reason);
        return 0;
    }
    spin_lock(&d->shutdown_lock);
    if (d->shutdown_code == -1) {
        d->shutdown_code = (uint8_t)s.reason;
    }
    spin_unlock(&d->shutdown_lock);
    return 0;
}

/* For who is privileged over the other: a device model whose guest asked for it. */
static long do_remote_shutdown(XEN_GUEST_HANDLE(void) arg)
{
    struct sched_remote_shutdown s;
    struct domain *d;

    if (copy_from_guest(&s, guest_handle_cast(arg, sched_remote_shutdown_t), 1)) {
        return -EFAULT;
    }
    d = s.domain_id == DOMID_SELF ? NULL : domain_by_id(s.domain_id);
    if (d == NULL) {
        return -ESRCH;
    }
    if (!is_privileged_for(current->domain, d)) {
        return -EPERM;
    }
    domain_shutdown(d, (uint8_t)s.reason);
    return 0;
}

static long do_watchdog(XEN_GUEST_HANDLE(void) arg)
{
    struct sched_watchdog w;

    if (copy_from_guest(&w, guest_handle_cast(arg, sched_watchdog_t), 1)) {
        return -EFAULT;
    }
    return domain_watchdog(current->domain, w.id, w.timeout);
}

static long do_pin_override(XEN_GUEST_HANDLE(void) arg)
{
    struct sched_pin_override p;

    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    if (copy_from_guest(&p, guest_handle_cast(arg, sched_pin_override_t), 1)) {
        return -EFAULT;
    }
    return vcpu_pin_override(current, p.pcpu);
}

long do_sched_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    switch (cmd) {
    case SCHEDOP_yield:
        vcpu_yield();
        return 0;
    case SCHEDOP_block:
        return block();
    case SCHEDOP_shutdown:
        return do_shutdown(arg, false);
    case SCHEDOP_shutdown_code:
        return do_shutdown(arg, true);
    case SCHEDOP_poll:
        return do_poll(arg);
    case SCHEDOP_remote_shutdown:
        return do_remote_shutdown(arg);
    case SCHEDOP_watchdog:
        return do_watchdog(arg);
    case SCHEDOP_pin_override:
        return do_pin_override(arg);
    default:
        return -ENOSYS;
    }
}

/* The interface of before 2005: the argument itself instead of a structure. */
long do_sched_op_compat(unsigned int cmd, unsigned long arg)
{
    switch (cmd) {
    case SCHEDOP_yield:
        vcpu_yield();
        return 0;
    case SCHEDOP_block:
        return block();
    case SCHEDOP_shutdown:
        domain_shutdown(current->domain, (uint8_t)arg);
        return 0;
    default:
        return -ENOSYS;
    }
}
