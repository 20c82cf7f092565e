/* Message signalled interrupts. */
#ifndef IRQ_MSI_H
#define IRQ_MSI_H

#include "pci.h"

struct msi_request {
    struct pci_id id;
    bool msix;
    unsigned int entry;  /* MSI-X */
    uint64_t table_base; /* MSI-X of a virtual function: where the BAR of the table lies */
};
/* Makes irq (from irq_create) the message; masked until it is started. Under pci_lock. -ENODEV: no
 * such function or capability; -ENXIO: its memory is not reachable; -EEXIST, -EINVAL, -ENOMEM. */
int msi_setup(unsigned int irq, const struct msi_request *r) __must_check;
void msi_teardown(unsigned int irq);
/* Gives the mapping of a function's MSI-X table up. */
void msix_unmap(struct pci_dev *dev);
/* Writes everything again, after a device lost it in sleep. -ENODEV. */
int msi_restore(struct pci_id id) __must_check;

#endif
