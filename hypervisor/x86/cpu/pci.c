/* Port pairs (arch/pci.h). PCI Local Bus Specification, "Configuration Mechanism #1". */
#include <hospes/lock.h>
#include <arch/io.h>
#include <arch/pci.h>

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define CMOS_INDEX  0x70
#define CMOS_DATA   0x71

static spinlock_t ports_lock = SPINLOCK_INIT(RANK_PORTS);

uint32_t pci_conf_read(uint32_t cf8, unsigned int offset, unsigned int bytes)
{
    unsigned long flags;
    uint32_t v;

    spin_lock_irqsave(&ports_lock, flags);
    outl(PCI_ADDRESS, cf8);
    v = bytes == 1   ? inb((uint16_t)(PCI_DATA + offset))
        : bytes == 2 ? inw((uint16_t)(PCI_DATA + offset))
                     : inl(PCI_DATA);
    spin_unlock_irqrestore(&ports_lock, flags);
    return v;
}

void pci_conf_write(uint32_t cf8, unsigned int offset, unsigned int bytes, uint32_t value)
{
    unsigned long flags;

    spin_lock_irqsave(&ports_lock, flags);
    outl(PCI_ADDRESS, cf8);
    if (bytes == 1) {
        outb((uint16_t)(PCI_DATA + offset), (uint8_t)value);
    } else if (bytes == 2) {
        outw((uint16_t)(PCI_DATA + offset), (uint16_t)value);
    } else {
        outl(PCI_DATA, value);
    }
    spin_unlock_irqrestore(&ports_lock, flags);
}

/* Bit 7 of the index holds back NMIs: never a guest's to set. */
uint8_t cmos_read(uint8_t index)
{
    unsigned long flags;
    uint8_t v;

    spin_lock_irqsave(&ports_lock, flags);
    outb(CMOS_INDEX, index & 0x7f);
    v = inb(CMOS_DATA);
    spin_unlock_irqrestore(&ports_lock, flags);
    return v;
}

void cmos_write(uint8_t index, uint8_t value)
{
    unsigned long flags;

    spin_lock_irqsave(&ports_lock, flags);
    outb(CMOS_INDEX, index & 0x7f);
    outb(CMOS_DATA, value);
    spin_unlock_irqrestore(&ports_lock, flags);
}
