/* PCI configuration space and functions, as far as MSI needs them. All but the accessors: under
 * pci_lock (pirq.c). */
#ifndef IRQ_PCI_H
#define IRQ_PCI_H

#include <hospes/list.h>
#include <hospes/lock.h>
#include <arch/pci.h>

#define PCI_COMMAND        0x04u
#define PCI_COMMAND_MEMORY 0x02u
#define PCI_STATUS         0x06u
#define PCI_STATUS_CAPS    0x10u
#define PCI_BAR0           0x10u
#define PCI_CAP_POINTER    0x34u
#define PCI_CAP_MSI        0x05u
#define PCI_CAP_MSIX       0x11u

struct frame_range {
    mfn_t s, e; /* both inside */
    bool valid;
};

struct pci_dev {
    struct list_head list;
    struct pci_id id, physical;
    bool virtual_function;
    struct list_head msis;              /* struct msi_desc */
    volatile uint8_t *msix_table;       /* mapped while an entry is in use */
    struct frame_range msix_ro, pba_ro; /* its frames, and those of the pending bits: read-only */
    unsigned int msix_entries;
    unsigned int msix_pos;
};
extern struct list_head pci_devices;

unsigned int pci_find_capability(struct pci_id id, uint8_t cap); /* 0: not there */
uint64_t pci_memory_bar(struct pci_id id, unsigned int nr);
struct pci_dev *pci_find(struct pci_id id);
int pci_add(struct pci_id id, bool virtual_function, struct pci_id physical) __must_check;
int pci_remove(struct pci_id id) __must_check;

/* ---- mmcfg.c ---- */
/* Domain 0 says whether an area of ACPI's MCFG is really there. -ENODEV: none with these buses;
 * -EIO: it is elsewhere; -ENOMEM. */
int pci_mmcfg_reserved(uint64_t base, uint16_t segment, uint8_t first, uint8_t last,
                       bool reserved) __must_check;
/* A temporary mapping (iounmap) of one function's 4 KiB, for what the ports do not reach; NULL. */
volatile uint8_t *pci_map_function(struct pci_id id);

#endif
