/*
 * PCI configuration space, and the functions that Domain 0 has told us of. The hypervisor needs
 * both only to program MSI and MSI-X.
 *
 * Ports 0xcf8/0xcfc are shared with Domain 0, whose accesses are emulated under pci_config_lock;
 * our own accesses put back the address that Domain 0 had latched.
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/io.h>
#include <arch/mm.h>
#include "msi.h"
#include "pci.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define TYPE1_REGS  256u /* what the ports reach of a function */

spinlock_t pci_config_lock = SPINLOCK_INIT(RANK_IOAPIC);
struct list_head pci_devices = LIST_HEAD_INIT(pci_devices);

static uint32_t type1(struct pci_id id, unsigned int reg)
{
    return 0x80000000u | ((uint32_t)id.bus << 16) | ((uint32_t)id.devfn << 8) | (reg & 0xfc);
}

uint32_t pci_read(struct pci_id id, unsigned int reg, unsigned int size)
{
    uint32_t v = ~0u, latched;
    unsigned long flags;

    if (id.segment != 0 || reg >= TYPE1_REGS) {
        volatile uint8_t *p = pci_map_function(id);

        if (p) {
            v = size == 1   ? mmio_read8(p + reg)
                : size == 2 ? mmio_read16(p + reg)
                            : mmio_read32(p + reg);
            iounmap((void *)(unsigned long)p);
        }
        return v;
    }
    spin_lock_irqsave(&pci_config_lock, flags);
    latched = inl(PCI_ADDRESS);
    outl(PCI_ADDRESS, type1(id, reg));
    v = port_read((uint16_t)(PCI_DATA + (reg & 3)), size);
    outl(PCI_ADDRESS, latched);
    spin_unlock_irqrestore(&pci_config_lock, flags);
    return v;
}

void pci_write(struct pci_id id, unsigned int reg, unsigned int size, uint32_t v)
{
    uint32_t latched;
    unsigned long flags;

    if (id.segment != 0 || reg >= TYPE1_REGS) {
        volatile uint8_t *p = pci_map_function(id);

        if (!p) {
            return;
        }
        if (size == 1) {
            mmio_write8(p + reg, (uint8_t)v);
        } else if (size == 2) {
            mmio_write16(p + reg, (uint16_t)v);
        } else {
            mmio_write32(p + reg, v);
        }
        iounmap((void *)(unsigned long)p);
        return;
    }
    spin_lock_irqsave(&pci_config_lock, flags);
    latched = inl(PCI_ADDRESS);
    outl(PCI_ADDRESS, type1(id, reg));
    port_write((uint16_t)(PCI_DATA + (reg & 3)), size, v);
    outl(PCI_ADDRESS, latched);
    spin_unlock_irqrestore(&pci_config_lock, flags);
}

uint32_t pci_guest_access(uint32_t address, unsigned int offset, unsigned int size, bool write,
                          uint32_t v)
{
    unsigned long flags;

    spin_lock_irqsave(&pci_config_lock, flags);
    outl(PCI_ADDRESS, address);
    if (write) {
        port_write((uint16_t)(PCI_DATA + (offset & 3)), size, v);
    } else {
        v = port_read((uint16_t)(PCI_DATA + (offset & 3)), size);
    }
    spin_unlock_irqrestore(&pci_config_lock, flags);
    return v;
}

unsigned int pci_find_capability(struct pci_id id, uint8_t cap)
{
    unsigned int pos;

    if (!(pci_read(id, PCI_STATUS, 2) & PCI_STATUS_CAPS)) {
        return 0;
    }
    pos = pci_read(id, PCI_CAP_POINTER, 1) & 0xfc;
    /* At most 48 capabilities fit: a list that is longer is a ring. */
    for (unsigned int i = 0; i < 48 && pos >= 0x40; i++) {
        if (pci_read(id, pos, 1) == cap) {
            return pos;
        }
        pos = pci_read(id, pos + 1, 1) & 0xfc;
    }
    return 0;
}

/* Memory BAR nr of a function; 0 when it is none. */
uint64_t pci_memory_bar(struct pci_id id, unsigned int nr)
{
    unsigned int reg = PCI_BAR0 + 4 * nr;
    uint32_t lo = nr < 6 ? pci_read(id, reg, 4) : 1;
    uint64_t bar = lo & ~15u;

    if (lo & 1) {
        return 0;
    }
    if ((lo & 6) == 4) {
        if (nr == 5) {
            return 0;
        }
        bar |= (uint64_t)pci_read(id, reg + 4, 4) << 32;
    }
    return bar;
}

/* ---- functions ---- */

static bool same(struct pci_id a, struct pci_id b)
{
    return a.segment == b.segment && a.bus == b.bus && a.devfn == b.devfn;
}

struct pci_dev *pci_find(struct pci_id id)
{
    struct pci_dev *p;

    list_for_each_entry (p, &pci_devices, list) {
        if (same(p->id, id)) {
            return p;
        }
    }
    return NULL;
}

int pci_add(struct pci_id id, bool virtual_function, struct pci_id physical)
{
    struct pci_dev *p = pci_find(id);

    if (!p) {
        p = xzalloc(struct pci_dev);
        if (!p) {
            return -ENOMEM;
        }
        p->id = id;
        list_init(&p->msis);
        list_add_tail(&p->list, &pci_devices);
    }
    p->virtual_function = virtual_function;
    p->physical = physical;
    return 0;
}

int pci_remove(struct pci_id id)
{
    struct pci_dev *p = pci_find(id);

    if (!p) {
        return -ENODEV;
    }
    if (!list_empty(&p->msis)) {
        return -EBUSY; /* its interrupts are still mapped */
    }
    list_del(&p->list);
    if (p->msix_table) {
        msix_unmap(p);
    }
    xfree(p);
    return 0;
}
