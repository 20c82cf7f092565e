/*
 * MSI and MSI-X. Domain 0 finds the capability and switches it on; the hypervisor alone writes
 * address, data and mask bits, so that no domain can make a device send anything but its own
 * vectors. PCI 3.0, "MSI Capability Structure" and "MSI-X Capability Structure".
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/pv_mm.h>
#include "irq_internal.h"
#include "msi.h"

#define MSI_CONTROL      2u
#define MSI_ADDRESS_LOW  4u
#define MSI_ADDRESS_HIGH 8u
#define CONTROL_ENABLE   BIT(0)
#define CONTROL_64BIT    BIT(7)
#define CONTROL_MASKBIT  BIT(8)
#define CONTROL_MME      (7u << 4)
#define MSIX_TABLE       4u
#define MSIX_PBA         8u
#define MSIX_SIZE_MASK   0x7ffu
#define MSIX_ENTRY_SIZE  16u
#define ENTRY_ADDRESS_LO 0u
#define ENTRY_ADDRESS_HI 4u
#define ENTRY_DATA       8u
#define ENTRY_CONTROL    12u
#define MSI_ADDRESS_BASE 0xfee00000u

struct msi_desc {
    struct list_head list; /* pci_dev's */
    struct pci_dev *dev;
    bool msix, is_64, maskable;
    unsigned int pos, entry; /* capability; MSI-X entry */
    volatile uint8_t *slot;  /* MSI-X: the entry */
};

static void msix_control(struct msi_desc *m, bool masked)
{
    mmio_write32(m->slot + ENTRY_CONTROL, masked);
    (void)mmio_read32(m->slot + ENTRY_CONTROL); /* it has arrived */
}

static unsigned int mask_register(const struct msi_desc *m)
{
    return m->pos + (m->is_64 ? 16u : 12u);
}

static void msi_set_mask(struct irq_desc *d, bool masked)
{
    struct msi_desc *m = d->msi;

    if (m->msix) {
        msix_control(m, masked);
    } else if (m->maskable) {
        pci_write(m->dev->id, mask_register(m), 4, masked);
    }
}

static void msi_mask(struct irq_desc *d)
{
    msi_set_mask(d, true);
}
static void msi_unmask(struct irq_desc *d)
{
    msi_set_mask(d, false);
}

/* Edge-triggered, fixed, to one APIC, physically addressed. Intel SDM 3, "MSI". */
static void msi_set_target(struct irq_desc *d)
{
    struct msi_desc *m = d->msi;
    uint32_t address = MSI_ADDRESS_BASE | (cpu_to_apic_id[d->cpu] & 0xff) << 12;
    uint32_t data = d->vector;

    if (m->msix) {
        msix_control(m, true);
        mmio_write32(m->slot + ENTRY_ADDRESS_LO, address);
        mmio_write32(m->slot + ENTRY_ADDRESS_HI, 0);
        mmio_write32(m->slot + ENTRY_DATA, data);
        return;
    }
    pci_write(m->dev->id, m->pos + MSI_ADDRESS_LOW, 4, address);
    if (m->is_64) {
        pci_write(m->dev->id, m->pos + MSI_ADDRESS_HIGH, 4, 0);
    }
    pci_write(m->dev->id, m->pos + (m->is_64 ? 12u : 8u), 2, data);
}

static const struct irq_controller msi_controller = {
    .name = "PCI-MSI", .mask = msi_mask, .unmask = msi_unmask, .set_target = msi_set_target};
static const struct irq_controller msix_controller = {
    .name = "PCI-MSI-X", .mask = msi_mask, .unmask = msi_unmask, .set_target = msi_set_target};

static int setup_msi(struct msi_desc *m)
{
    uint16_t control;

    m->pos = pci_find_capability(m->dev->id, PCI_CAP_MSI);
    if (m->pos == 0) {
        return -ENODEV;
    }
    control = (uint16_t)pci_read(m->dev->id, m->pos + MSI_CONTROL, 2);
    m->is_64 = control & CONTROL_64BIT;
    m->maskable = control & CONTROL_MASKBIT;
    /* One message. */
    pci_write(m->dev->id, m->pos + MSI_CONTROL, 2, control & ~CONTROL_MME);
    if (m->maskable) {
        pci_write(m->dev->id, mask_register(m), 4, 1);
    }
    return 0;
}

/* The frames of `bytes` at what a register of the capability says become read-only for guests. */
static bool protect(struct pci_dev *dev, struct frame_range *r, uint32_t where, uint64_t hint,
                    unsigned int bytes)
{
    uint64_t base = dev->virtual_function ? hint : pci_memory_bar(dev->id, where & 7);
    uint64_t at = base + (where & ~7u);

    if (base == 0) {
        return false;
    }
    r->s = mfn(at >> PAGE_SHIFT);
    r->e = mfn((at + bytes - 1) >> PAGE_SHIFT);
    r->valid = mmio_ro_add(r->s, r->e) == 0;
    return r->valid;
}

static void unprotect(struct frame_range *r)
{
    if (r->valid) {
        mmio_ro_remove(r->s, r->e);
        r->valid = false;
    }
}

void msix_unmap(struct pci_dev *dev)
{
    iounmap((void *)(unsigned long)dev->msix_table);
    dev->msix_table = NULL;
    unprotect(&dev->msix_ro);
    unprotect(&dev->pba_ro);
}

/* Finds and maps the table of MSI-X. */
static int map_msix_table(struct pci_dev *dev, uint64_t hint)
{
    unsigned int pos = pci_find_capability(dev->id, PCI_CAP_MSIX);
    uint32_t where;
    uint64_t base;

    if (pos == 0) {
        return -ENODEV;
    }
    if (!dev->virtual_function && !(pci_read(dev->id, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY)) {
        return -ENXIO;
    }
    where = pci_read(dev->id, pos + MSIX_TABLE, 4);
    /* A virtual function's BARs are in its physical function: Domain 0 knows where they lie. */
    base = dev->virtual_function ? hint : pci_memory_bar(dev->id, where & 7);
    if (base == 0) {
        return -ENXIO;
    }
    dev->msix_pos = pos;
    dev->msix_entries = (pci_read(dev->id, pos + MSI_CONTROL, 2) & MSIX_SIZE_MASK) + 1u;
    dev->msix_table = ioremap(paddr(base + (where & ~7u)), dev->msix_entries * MSIX_ENTRY_SIZE);
    if (!dev->msix_table) {
        return -ENOMEM;
    }
    /* No domain writes vectors of its own, or reads a change of them half done. */
    if (!protect(dev, &dev->msix_ro, where, hint, dev->msix_entries * MSIX_ENTRY_SIZE) ||
        (!dev->virtual_function && !protect(dev, &dev->pba_ro, pci_read(dev->id, pos + MSIX_PBA, 4),
                                            hint, DIV_ROUND_UP(dev->msix_entries, 64) * 8))) {
        msix_unmap(dev);
        return -ENXIO;
    }
    return 0;
}

static int setup_msix(struct msi_desc *m, unsigned int entry, uint64_t hint)
{
    struct pci_dev *dev = m->dev;
    int rc = dev->msix_table ? 0 : map_msix_table(dev, hint);

    if (rc != 0) {
        return rc;
    }
    if (entry >= dev->msix_entries) {
        return -EINVAL;
    }
    m->msix = m->is_64 = m->maskable = true;
    m->pos = dev->msix_pos;
    m->entry = entry;
    m->slot = dev->msix_table + entry * MSIX_ENTRY_SIZE;
    msix_control(m, true);
    return 0;
}

static bool conflicts(const struct pci_dev *dev, bool msix, unsigned int entry)
{
    struct msi_desc *m;

    list_for_each_entry (m, &dev->msis, list) {
        if (m->msix != msix || !msix || m->entry == entry) {
            return true;
        }
    }
    return false;
}

int msi_setup(unsigned int irq, const struct msi_request *r)
{
    struct irq_desc *desc = irq_to_desc(irq);
    struct pci_dev *dev = pci_find(r->id);
    struct msi_desc *m;
    unsigned long flags;
    int rc;

    if (!dev) {
        return -ENODEV;
    }
    if (conflicts(dev, r->msix, r->entry)) {
        return -EEXIST;
    }
    m = xzalloc(struct msi_desc);
    if (!m) {
        return -ENOMEM;
    }
    m->dev = dev;
    rc = r->msix ? setup_msix(m, r->entry, r->table_base) : setup_msi(m);
    if (rc != 0) {
        xfree(m);
        return rc;
    }
    spin_lock_irqsave(&desc->lock, flags);
    desc->msi = m;
    desc->ctl = r->msix ? &msix_controller : &msi_controller;
    rc = irq_set_cpu(desc, 0);
    if (rc != 0) {
        desc->msi = NULL;
        desc->ctl = NULL;
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    if (rc != 0) {
        xfree(m);
        return rc;
    }
    list_add_tail(&m->list, &dev->msis);
    return 0;
}

void msi_teardown(unsigned int irq)
{
    struct irq_desc *desc = irq_to_desc(irq);
    struct msi_desc *m;
    unsigned long flags;
    uint16_t control;

    spin_lock_irqsave(&desc->lock, flags);
    m = desc->msi;
    if (m) {
        irq_shutdown(desc);
        desc->msi = NULL;
        desc->ctl = NULL;
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    if (!m) {
        return;
    }
    if (!m->msix) {
        control = (uint16_t)pci_read(m->dev->id, m->pos + MSI_CONTROL, 2);
        pci_write(m->dev->id, m->pos + MSI_CONTROL, 2, control & ~CONTROL_ENABLE);
    }
    list_del(&m->list);
    if (m->msix && list_empty(&m->dev->msis)) {
        msix_unmap(m->dev);
    }
    xfree(m);
}

int msi_restore(struct pci_id id)
{
    struct pci_dev *dev = pci_find(id);

    if (!dev) {
        return -ENODEV;
    }
    for (unsigned int i = nr_gsis; i < nr_irqs; i++) {
        struct irq_desc *desc = irq_to_desc(i);
        unsigned long flags;

        spin_lock_irqsave(&desc->lock, flags);
        if (desc->msi && desc->msi->dev == dev && desc->vector != 0) {
            desc->ctl->set_target(desc);
            if (desc->enabled) {
                desc->ctl->unmask(desc);
            }
        }
        spin_unlock_irqrestore(&desc->lock, flags);
    }
    return 0;
}
