/* PHYSDEVOP_*'s PCI half: which functions there are, their MSI state, configuration space in
 * memory. */
#include <hospes/arch.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include "pirq_internal.h"

#define ARG(type) guest_handle_cast(arg, type)

static int add(struct pci_id id, bool virtual_function, uint8_t bus, uint8_t devfn)
{
    struct pci_id physical = {.segment = id.segment, .bus = bus, .devfn = devfn};
    int rc;

    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    spin_lock(&pci_lock);
    rc = pci_add(id, virtual_function, physical);
    spin_unlock(&pci_lock);
    return rc;
}

static int del(struct pci_id id)
{
    int rc;

    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    spin_lock(&pci_lock);
    rc = pci_remove(id);
    spin_unlock(&pci_lock);
    return rc;
}

static int restore(struct pci_id id)
{
    int rc;

    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    spin_lock(&pci_lock);
    rc = msi_restore(id);
    spin_unlock(&pci_lock);
    return rc;
}

static bool known(struct pci_id id)
{
    bool found;

    spin_lock(&pci_lock);
    found = pci_find(id) != NULL;
    spin_unlock(&pci_lock);
    return found;
}

static long op_manage(XEN_GUEST_HANDLE(void) arg, bool remove)
{
    struct physdev_manage_pci op;
    struct pci_id id;

    if (copy_from_guest(&op, ARG(physdev_manage_pci_t), 1)) {
        return -EFAULT;
    }
    id = (struct pci_id){.bus = op.bus, .devfn = op.devfn};
    return remove ? del(id) : add(id, false, 0, 0);
}

static long op_manage_ext(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_manage_pci_ext op;

    if (copy_from_guest(&op, ARG(physdev_manage_pci_ext_t), 1)) {
        return -EFAULT;
    }
    if (op.is_extfn > 1 || op.is_virtfn > 1) {
        return -EINVAL;
    }
    return add((struct pci_id){.bus = op.bus, .devfn = op.devfn}, op.is_virtfn, op.physfn.bus,
               op.physfn.devfn);
}

static long op_device_add(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_pci_device_add op;

    if (copy_from_guest(&op, ARG(physdev_pci_device_add_t), 1)) {
        return -EFAULT;
    }
    return add((struct pci_id){.segment = op.seg, .bus = op.bus, .devfn = op.devfn},
               op.flags & XEN_PCI_DEV_VIRTFN, op.physfn.bus, op.physfn.devfn);
}

static long op_mmcfg(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_pci_mmcfg_reserved op;
    int rc;

    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    if (copy_from_guest(&op, ARG(physdev_pci_mmcfg_reserved_t), 1)) {
        return -EFAULT;
    }
    if (op.flags & ~XEN_PCI_MMCFG_RESERVED) {
        return -EINVAL;
    }
    spin_lock(&pci_lock);
    rc = pci_mmcfg_reserved(op.address, op.segment, op.start_bus, op.end_bus,
                            op.flags & XEN_PCI_MMCFG_RESERVED);
    spin_unlock(&pci_lock);
    return rc;
}

long physdev_pci_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_pci_device dev;
    struct physdev_restore_msi old;
    struct pci_id id;

    switch (cmd) {
    case PHYSDEVOP_manage_pci_add:
    case PHYSDEVOP_manage_pci_remove:
        return op_manage(arg, cmd == PHYSDEVOP_manage_pci_remove);
    case PHYSDEVOP_manage_pci_add_ext:
        return op_manage_ext(arg);
    case PHYSDEVOP_pci_device_add:
        return op_device_add(arg);
    case PHYSDEVOP_pci_mmcfg_reserved:
        return op_mmcfg(arg);
    case PHYSDEVOP_restore_msi:
        if (copy_from_guest(&old, ARG(physdev_restore_msi_t), 1)) {
            return -EFAULT;
        }
        return restore((struct pci_id){.bus = old.bus, .devfn = old.devfn});
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_restore_msi_ext:
    case PHYSDEVOP_prepare_msix:
    case PHYSDEVOP_release_msix:
        break;
    default:
        return -ENOSYS;
    }
    if (copy_from_guest(&dev, ARG(physdev_pci_device_t), 1)) {
        return -EFAULT;
    }
    id = (struct pci_id){.segment = dev.seg, .bus = dev.bus, .devfn = dev.devfn};
    if (cmd == PHYSDEVOP_pci_device_remove) {
        return del(id);
    }
    if (cmd == PHYSDEVOP_restore_msi_ext) {
        return restore(id);
    }
    /* prepare and release: the table's pages never belong to anybody but Domain 0 here. */
    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    return known(id) ? 0 : -ENODEV;
}
