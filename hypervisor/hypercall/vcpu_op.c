/*
 * vcpu_op: a guest manages its own vcpus. Numbers and structures: <xen/vcpu.h>. What depends on the
 * processor is arch_do_vcpu_op's.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <xen/sched.h>

/* Longest period or timeout that is taken: 2^57 ns are four years. */
#define MAX_PERIOD ((uint64_t)1 << 57)

/* Once, and one caller at a time: the state of a vcpu that may run is not to be written. */
static long initialise(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct domain *d = v->domain;
    long rc;

    if (!vcpu_has_info(v)) {
        return -EINVAL;
    }
    spin_lock(&d->lock);
    rc = v->is_initialised ? -EEXIST : arch_initialise_vcpu(v, arg);
    spin_unlock(&d->lock);
    if (rc == -ERESTART) {
        return (long)hypercall_create_continuation(__HYPERVISOR_vcpu_op, "iih", VCPUOP_initialise,
                                                   v->vcpu_id, guest_handle_addr(arg));
    }
    return rc;
}

static long bring_up(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool wake = false;
    long rc = 0;

    spin_lock(&d->lock);
    if (!v->is_initialised) {
        rc = -EINVAL;
    } else {
        wake = test_and_clear_bit(VPF_DOWN, &v->sched.pause_flags);
    }
    spin_unlock(&d->lock);
    if (wake) {
        vcpu_wake(v);
    }
    return rc;
}

static bool is_down(const struct vcpu *v)
{
    return test_bit(VPF_DOWN, &v->sched.pause_flags);
}

/* The last one that goes down takes the domain with it. */
static long bring_down(struct vcpu *v)
{
    struct vcpu *other;
    bool last = true;

    for_each_vcpu (v->domain, other) {
        last &= other == v || is_down(other);
    }
    if (last) {
        domain_shutdown(v->domain, SHUTDOWN_poweroff);
    } else if (!test_and_set_bit(VPF_DOWN, &v->sched.pause_flags)) {
        vcpu_sleep_nosync(v);
    }
    return 0;
}

static long get_runstate(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu_runstate_info r;

    vcpu_runstate_get(v, &r);
    return copy_to_guest(guest_handle_cast(arg, vcpu_runstate_info_t), &r, 1) ? -EFAULT : 0;
}

static long set_periodic(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu_set_periodic_timer set;

    if (copy_from_guest(&set, guest_handle_cast(arg, vcpu_set_periodic_timer_t), 1)) {
        return -EFAULT;
    }
    if (set.period_ns < (uint64_t)MILLISECS(1) || set.period_ns > MAX_PERIOD) {
        return -EINVAL;
    }
    vcpu_set_periodic_timer(v, (s_time_t)set.period_ns);
    return 0;
}

static long set_singleshot(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu_set_singleshot_timer set;

    if (v != current) {
        return -EINVAL;
    }
    if (copy_from_guest(&set, guest_handle_cast(arg, vcpu_set_singleshot_timer_t), 1)) {
        return -EFAULT;
    }
    if (set.timeout_abs_ns < (uint64_t)NOW()) {
        timer_stop(&v->singleshot_timer);
        if (set.flags & VCPU_SSHOTTMR_future) {
            return -ETIME;
        }
        send_guest_vcpu_virq(v, VIRQ_TIMER);
        return 0;
    }
    timer_migrate(&v->singleshot_timer, smp_processor_id());
    timer_set(&v->singleshot_timer, (s_time_t)min(set.timeout_abs_ns, (uint64_t)STIME_MAX));
    return 0;
}

static long stop_singleshot(struct vcpu *v)
{
    if (v != current) {
        return -EINVAL;
    }
    timer_stop(&v->singleshot_timer);
    return 0;
}

static long register_info(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu_register_vcpu_info info;
    struct domain *d = v->domain;
    long rc;

    if (copy_from_guest(&info, guest_handle_cast(arg, vcpu_register_vcpu_info_t), 1)) {
        return -EFAULT;
    }
    spin_lock(&d->lock);
    rc = map_vcpu_info(v, info.mfn, info.offset);
    spin_unlock(&d->lock);
    if (rc == 0) {
        arch_update_vcpu_time(v);
    }
    return rc;
}

static long register_runstate(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu_register_runstate_memory_area area;
    struct vcpu_runstate_info r;

    if (copy_from_guest(&area, guest_handle_cast(arg, vcpu_register_runstate_memory_area_t), 1)) {
        return -EFAULT;
    }
    if (!guest_handle_okay(area.addr.h, 1)) {
        return -EFAULT;
    }
    v->runstate_guest = area.addr.h;
    if (!guest_handle_is_null(area.addr.h)) {
        vcpu_runstate_get(v, &r);
        if (copy_to_guest(area.addr.h, &r, 1)) {
            return 0; /* as Xen: filled in when the memory is there */
        }
    }
    return 0;
}

long do_vcpu_op(unsigned int cmd, unsigned int vcpuid, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu *v = domain_vcpu(current->domain, vcpuid);

    if (v == NULL) {
        return -ENOENT;
    }
    switch (cmd) {
    case VCPUOP_initialise:
        return initialise(v, arg);
    case VCPUOP_up:
        return bring_up(v);
    case VCPUOP_down:
        return bring_down(v);
    case VCPUOP_is_up:
        return !is_down(v);
    case VCPUOP_get_runstate_info:
        return get_runstate(v, arg);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate(v, arg);
    case VCPUOP_set_periodic_timer:
        return set_periodic(v, arg);
    case VCPUOP_stop_periodic_timer:
        vcpu_set_periodic_timer(v, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        return stop_singleshot(v);
    case VCPUOP_register_vcpu_info:
        return register_info(v, arg);
    default:
        return arch_do_vcpu_op(cmd, v, arg);
    }
}
