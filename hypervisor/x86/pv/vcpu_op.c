/* The architecture's vcpu operations: NMIs, and the second copy of a vcpu's time for its processes.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <arch/pv.h>
#include <xen/vcpu.h>

/* The address is the guest kernel's: written while its vcpu runs, with the version protocol of
 * vcpu_time_info. An area that cannot be written is tried again with the next update. */
void pv_update_time_area(struct vcpu *v)
{
    XEN_GUEST_HANDLE(vcpu_time_info_t) area = v->arch.pv.time_area;
    struct vcpu_time_info t = v->vcpu_info->time;
    uint32_t version = t.version;

    v->arch.pv.time_area_stale = false;
    if (guest_handle_is_null(area)) {
        return;
    }
    v->arch.pv.time_area_stale = true;
    if (v != current || !v->arch.kernel_mode) {
        return;
    }
    t.version = version | 1;
    if (copy_field_to_guest(area, &t, version)) {
        return;
    }
    smp_wmb();
    if (copy_to_guest(area, &t, 1)) {
        return;
    }
    smp_wmb();
    t.version = version;
    v->arch.pv.time_area_stale = copy_field_to_guest(area, &t, version);
}

static long register_time_area(struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    struct vcpu_register_time_memory_area in;

    if (copy_from_guest(&in, guest_handle_cast(arg, vcpu_register_time_memory_area_t), 1)) {
        return -EFAULT;
    }
    if (!guest_handle_okay(in.addr.h, 1)) {
        return -EINVAL;
    }
    v->arch.pv.time_area = in.addr.h;
    pv_update_time_area(v);
    return 0;
}

long arch_do_vcpu_op(unsigned int cmd, struct vcpu *v, XEN_GUEST_HANDLE(void) arg)
{
    switch (cmd) {
    case VCPUOP_register_vcpu_time_memory_area:
        return register_time_area(v, arg);
    case VCPUOP_send_nmi:
        if (!guest_handle_is_null(arg)) {
            return -EINVAL;
        }
        if (!__atomic_exchange_n(&v->nmi_pending, 1, __ATOMIC_SEQ_CST)) {
            vcpu_kick(v);
        }
        return 0;
    case VCPUOP_get_physid: /* only for vcpus that are bound to one CPU for good: there are none */
        return -EINVAL;
    default:
        return -ENOSYS;
    }
}
