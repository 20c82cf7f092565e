/*
 * Where a PV guest wants to be entered: its exception table, its callbacks for events, system calls
 * and failures, its kernel stack. All of it is per vcpu. Addresses must be canonical (loading
 * another one would fault on the way out); everything else about them is the guest's problem.
 */
#include "pv.h"
#include <xen/callback.h>
#include <xen/nmi.h>

long do_set_trap_table(XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(trap_info_t) traps = guest_handle_cast(arg, trap_info_t);
    struct trap_info *table = current->arch.pv.trap_ctxt, ti;

    if (guest_handle_is_null(traps)) {
        memset(table, 0, 256 * sizeof(*table));
        return 0;
    }
    for (;;) {
        if (copy_from_guest(&ti, traps, 1)) {
            return -EFAULT;
        }
        if (ti.address == 0) {
            return 0;
        }
        if (!is_canonical(ti.address)) {
            return -EINVAL;
        }
        table[ti.vector] = ti;
        guest_handle_add(traps, 1);
        if (hypercall_preempt_check()) {
            return (long)hypercall_create_continuation(__HYPERVISOR_set_trap_table, "h",
                                                       guest_handle_addr(traps));
        }
    }
}

static void set_vgc_flag(struct pv_vcpu *pv, unsigned long flag, bool on)
{
    pv->vgc_flags = on ? pv->vgc_flags | flag : pv->vgc_flags & ~flag;
}

static int register_callback(struct vcpu *v, unsigned int type, unsigned int flags,
                             unsigned long address)
{
    struct pv_vcpu *pv = &v->arch.pv;
    bool mask = flags & CALLBACKF_mask_events;

    if (!is_canonical(address)) {
        return -EINVAL;
    }
    switch (type) {
    case CALLBACKTYPE_event:
        pv->event_callback_eip = address;
        return 0;
    case CALLBACKTYPE_failsafe:
        pv->failsafe_callback_eip = address;
        set_vgc_flag(pv, VGCF_failsafe_disables_events, mask);
        return 0;
    case CALLBACKTYPE_syscall:
        pv->syscall_callback_eip = address;
        set_vgc_flag(pv, VGCF_syscall_disables_events, mask);
        return 0;
    case CALLBACKTYPE_syscall32:
        pv->syscall32_callback_eip = address;
        pv->syscall32_disables_events = mask;
        return 0;
    case CALLBACKTYPE_sysenter:
        pv->sysenter_callback_eip = address;
        pv->sysenter_disables_events = mask;
        return 0;
    case CALLBACKTYPE_nmi:
        pv->trap_ctxt[X86_EXC_NMI] =
            (struct trap_info){.vector = X86_EXC_NMI, .cs = FLAT_KERNEL_CS64, .address = address};
        return 0;
    default:
        return -ENOSYS;
    }
}

static int unregister_callback(struct vcpu *v, unsigned int type)
{
    switch (type) {
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_sysenter:
        return -EINVAL;
    case CALLBACKTYPE_nmi:
        memset(&v->arch.pv.trap_ctxt[X86_EXC_NMI], 0, sizeof(struct trap_info));
        return 0;
    default:
        return -ENOSYS;
    }
}

long do_callback_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    struct callback_register reg;
    struct callback_unregister unreg;

    switch (cmd) {
    case CALLBACKOP_register:
        if (copy_from_guest(&reg, guest_handle_cast(arg, callback_register_t), 1)) {
            return -EFAULT;
        }
        return register_callback(current, reg.type, reg.flags, reg.address);
    case CALLBACKOP_unregister:
        if (copy_from_guest(&unreg, guest_handle_cast(arg, callback_unregister_t), 1)) {
            return -EFAULT;
        }
        return unregister_callback(current, unreg.type);
    default:
        return -ENOSYS;
    }
}

long do_set_callbacks(unsigned long event, unsigned long failsafe, unsigned long syscall)
{
    struct vcpu *v = current;

    if (!is_canonical(event) || !is_canonical(failsafe) || !is_canonical(syscall)) {
        return -EINVAL;
    }
    v->arch.pv.event_callback_eip = event;
    v->arch.pv.failsafe_callback_eip = failsafe;
    v->arch.pv.syscall_callback_eip = syscall;
    return 0;
}

long do_nmi_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    struct xennmi_callback cb;

    switch (cmd) {
    case XENNMI_register_callback:
        if (copy_from_guest(&cb, guest_handle_cast(arg, xennmi_callback_t), 1)) {
            return -EFAULT;
        }
        return register_callback(current, CALLBACKTYPE_nmi, 0, cb.handler_address);
    case XENNMI_unregister_callback:
        return unregister_callback(current, CALLBACKTYPE_nmi);
    default:
        return -ENOSYS;
    }
}

/* The stack on which the kernel is entered from its user mode: loaded by nothing but bounce.c. */
long do_stack_switch(unsigned long ss, unsigned long sp)
{
    current->arch.pv.kernel_ss = ss;
    current->arch.pv.kernel_sp = sp;
    return 0;
}
