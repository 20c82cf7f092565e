/*
 * vm_assist: helps that a guest switches on, each a bit of d->vm_assist that its user looks at.
 * Numbers: VMASST_* in <xen/xen.h>.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>

#define HVM_ASSISTS BIT(VMASST_TYPE_runstate_update_flag)
#define PV_ASSISTS                                                                        \
    (HVM_ASSISTS | BIT(VMASST_TYPE_4gb_segments) | BIT(VMASST_TYPE_4gb_segments_notify) | \
     BIT(VMASST_TYPE_writable_pagetables) | BIT(VMASST_TYPE_pae_extended_cr3) |           \
     BIT(VMASST_TYPE_architectural_iopl) | BIT(VMASST_TYPE_m2p_strict))

long do_vm_assist(unsigned int cmd, unsigned int type)
{
    struct domain *d = current->domain;

    if (type >= BITS_PER_LONG || !((d->is_hvm ? HVM_ASSISTS : PV_ASSISTS) & BIT(type))) {
        return -EINVAL;
    }
    switch (cmd) {
    case VMASST_CMD_enable:
        set_bit(type, &d->vm_assist);
        return 0;
    case VMASST_CMD_disable:
        clear_bit(type, &d->vm_assist);
        return 0;
    default:
        return -ENOSYS;
    }
}
