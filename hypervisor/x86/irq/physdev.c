/*
 * PHYSDEVOP_*: the machine's interrupts and PCI functions as Domain 0 (and what it assigns to
 * others) manages them. Behaviour and errors as Xen 4.17's do_physdev_op.
 */
#include <hospes/arch.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include "ioapic.h"
#include "irq_internal.h"
#include "pirq_internal.h"

/* Handles of types whose handles the headers do not define for every compiler mode. */
#define ARG(type) guest_handle_cast(arg, type)

static long op_eoi(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_eoi op;

    if (copy_from_guest(&op, ARG(physdev_eoi_t), 1)) {
        return -EFAULT;
    }
    return pirq_eoi(current->domain, op.irq);
}

static long op_eoi_map(XEN_GUEST_HANDLE(void) arg, bool auto_unmask)
{
    struct physdev_pirq_eoi_gmfn op;

    if (copy_from_guest(&op, ARG(physdev_pirq_eoi_gmfn_t), 1)) {
        return -EFAULT;
    }
    return pirq_set_eoi_map(current->domain, gfn(op.gmfn), auto_unmask);
}

/* Legacy: everything that is unmasked has been served. */
static long op_unmask_notify(void)
{
    for (unsigned int p = 0; p < MAX_PIRQS; p++) {
        arch_pirq_unmasked(current->domain, p);
    }
    return 0;
}

static long op_status_query(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_irq_status_query op;

    if (copy_from_guest(&op, ARG(physdev_irq_status_query_t), 1)) {
        return -EFAULT;
    }
    if (op.irq >= MAX_PIRQS) {
        return -EINVAL;
    }
    op.flags = XENIRQSTAT_needs_eoi; /* guests without the bitmap always say EOI */
    if (pirq_is_shared(current->domain, op.irq)) {
        op.flags |= XENIRQSTAT_shared;
    }
    return copy_to_guest(ARG(physdev_irq_status_query_t), &op, 1) ? -EFAULT : 0;
}

static int map_pirq(struct physdev_map_pirq *op)
{
    struct msi_request r = {
        .id = {.bus = (uint8_t)op->bus, .devfn = (uint8_t)op->devfn},
        .msix = op->table_base != 0,
        .entry = (unsigned int)op->entry_nr,
        .table_base = op->table_base,
    };
    struct domain *d;
    int rc = domain_by_guest_id_controlled(op->domid, &d);

    if (rc != 0) {
        return rc;
    }
    /* Who maps must have the interrupts: only Domain 0 knows devices. */
    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        return pirq_map_gsi(d, op->index, &op->pirq);
    case MAP_PIRQ_TYPE_MULTI_MSI:
        if (op->table_base != 0) {
            return -EINVAL;
        }
        if (op->entry_nr <= 0 || op->entry_nr > 32) {
            return -EDOM;
        }
        /* Without interrupt remapping each message needs a vector of its own block. */
        if (op->entry_nr != 1) {
            return -EOPNOTSUPP;
        }
        r.id.segment = (uint16_t)((uint32_t)op->bus >> 16);
        return pirq_map_msi(d, &r, &op->pirq);
    case MAP_PIRQ_TYPE_MSI_SEG:
        r.id.segment = (uint16_t)((uint32_t)op->bus >> 16);
        return pirq_map_msi(d, &r, &op->pirq);
    case MAP_PIRQ_TYPE_MSI:
        return pirq_map_msi(d, &r, &op->pirq);
    default:
        return -EINVAL;
    }
}

static long op_map_pirq(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_map_pirq op;
    int rc;

    if (copy_from_guest(&op, ARG(physdev_map_pirq_t), 1)) {
        return -EFAULT;
    }
    rc = map_pirq(&op);
    return copy_to_guest(ARG(physdev_map_pirq_t), &op, 1) ? -EFAULT : rc;
}

static long op_unmap_pirq(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_unmap_pirq op;
    struct domain *d;
    int rc;

    if (copy_from_guest(&op, ARG(physdev_unmap_pirq_t), 1)) {
        return -EFAULT;
    }
    rc = domain_by_guest_id_controlled(op.domid, &d);
    return rc != 0 ? rc : pirq_unmap(d, op.pirq);
}

static long op_apic(XEN_GUEST_HANDLE(void) arg, bool write)
{
    struct physdev_apic op;
    int rc;

    if (copy_from_guest(&op, ARG(physdev_apic_t), 1)) {
        return -EFAULT;
    }
    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    if (write) {
        return ioapic_guest_write(op.apic_physbase, op.reg, op.value);
    }
    rc = ioapic_guest_read(op.apic_physbase, op.reg, &op.value);
    return copy_to_guest(ARG(physdev_apic_t), &op, 1) ? -EFAULT : rc;
}

static long op_alloc_vector(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_irq op;

    if (copy_from_guest(&op, ARG(physdev_irq_t), 1)) {
        return -EFAULT;
    }
    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    op.vector = op.irq; /* vectors are ours; the guest gets a number to show */
    return copy_to_guest(ARG(physdev_irq_t), &op, 1) ? -EFAULT : 0;
}

static long op_set_iopl(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_set_iopl op;

    if (copy_from_guest(&op, ARG(physdev_set_iopl_t), 1)) {
        return -EFAULT;
    }
    if (op.iopl > 3) {
        return -EINVAL;
    }
    current->arch.pv.iopl = op.iopl << 12;
    return 0;
}

static long op_set_iobitmap(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_set_iobitmap op;

    if (copy_from_guest(&op, ARG(physdev_set_iobitmap_t), 1)) {
        return -EFAULT;
    }
    if (!guest_handle_okay(op.bitmap, 65536 / 8) || op.nr_ports > 65536) {
        return -EINVAL;
    }
    current->arch.pv.iobmp = op.bitmap.p;
    current->arch.pv.iobmp_limit = op.nr_ports;
    return 0;
}

static long op_setup_gsi(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_setup_gsi op;

    if (copy_from_guest(&op, ARG(physdev_setup_gsi_t), 1)) {
        return -EFAULT;
    }
    if (op.gsi < 0 || (unsigned int)op.gsi >= nr_gsis) {
        return -EINVAL;
    }
    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    return ioapic_setup_gsi((unsigned int)op.gsi, op.triggering != 0, op.polarity != 0);
}

static long op_get_free_pirq(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_get_free_pirq op;
    int pirq;

    if (copy_from_guest(&op, ARG(physdev_get_free_pirq_t), 1)) {
        return -EFAULT;
    }
    pirq = pirq_reserve(current->domain, op.type);
    if (pirq < 0) {
        return pirq;
    }
    op.pirq = (uint32_t)pirq;
    return copy_to_guest(ARG(physdev_get_free_pirq_t), &op, 1) ? -EFAULT : 0;
}

/* The debug port's USB controller: the hypervisor drives none. */
static long op_dbgp(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_dbgp_op op;

    if (!current->domain->is_hardware) {
        return -EPERM;
    }
    if (copy_from_guest(&op, ARG(physdev_dbgp_op_t), 1)) {
        return -EFAULT;
    }
    return op.op == PHYSDEVOP_DBGP_RESET_PREPARE || op.op == PHYSDEVOP_DBGP_RESET_DONE ? 0
                                                                                       : -ENOSYS;
}

long do_physdev_op(unsigned int cmd, XEN_GUEST_HANDLE(void) arg)
{
    switch (cmd) {
    case PHYSDEVOP_eoi:
        return op_eoi(arg);
    case PHYSDEVOP_pirq_eoi_gmfn_v1:
        return op_eoi_map(arg, true);
    case PHYSDEVOP_pirq_eoi_gmfn_v2:
        return op_eoi_map(arg, false);
    case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
        return op_unmask_notify();
    case PHYSDEVOP_irq_status_query:
        return op_status_query(arg);
    case PHYSDEVOP_map_pirq:
        return op_map_pirq(arg);
    case PHYSDEVOP_unmap_pirq:
        return op_unmap_pirq(arg);
    case PHYSDEVOP_apic_read:
        return op_apic(arg, false);
    case PHYSDEVOP_apic_write:
        return op_apic(arg, true);
    case PHYSDEVOP_alloc_irq_vector:
        return op_alloc_vector(arg);
    case PHYSDEVOP_set_iopl:
        return op_set_iopl(arg);
    case PHYSDEVOP_set_iobitmap:
        return op_set_iobitmap(arg);
    case PHYSDEVOP_setup_gsi:
        return op_setup_gsi(arg);
    case PHYSDEVOP_get_free_pirq:
        return op_get_free_pirq(arg);
    case PHYSDEVOP_dbgp_op:
        return op_dbgp(arg);
    default:
        return physdev_pci_op(cmd, arg);
    }
}

/* The interface before 3.2: command and union in one structure. */
long do_physdev_op_compat(XEN_GUEST_HANDLE(void) arg)
{
    struct physdev_op op;

    if (copy_from_guest(&op, ARG(physdev_op_t), 1)) {
        return -EFAULT;
    }
    switch (op.cmd) {
    case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
    case PHYSDEVOP_irq_status_query:
    case PHYSDEVOP_set_iopl:
    case PHYSDEVOP_set_iobitmap:
    case PHYSDEVOP_apic_read:
    case PHYSDEVOP_apic_write:
    case PHYSDEVOP_alloc_irq_vector:
        return do_physdev_op(
            op.cmd,
            guest_handle_from_addr(guest_handle_addr(arg) + offsetof(struct physdev_op, u), void));
    default:
        return -EINVAL;
    }
}
