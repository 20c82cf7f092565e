/*
 * I/O APICs: pins, routing and the ISA overrides of the MADT. Entries are written high half first
 * and unmasked last. Intel 82093AA data sheet. Domain 0 sees the registers only through
 * PHYSDEVOP_apic_read/write (below), which never route anything.
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/acpi.h>
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/platform.h>
#include "ioapic.h"
#include "irq_internal.h"

#define REG_SELECT 0x00
#define REG_WINDOW 0x10
#define IOAPIC_VER 0x01
#define RTE(pin)   (0x10 + 2 * (pin))

#define RTE_VECTOR    0xffu
#define RTE_LOW       BIT(13)
#define RTE_LEVEL     BIT(15)
#define RTE_MASKED    BIT(16)
#define MAX_PINS      240u
#define POLARITY_MASK 3u
#define POLARITY_LOW  3u
#define TRIGGER_SHIFT 2u
#define TRIGGER_LEVEL 3u

static struct {
    volatile uint8_t *regs;
    unsigned int pins, gsi_base;
    uint64_t address;
} ioapics[MAX_IOAPICS];
static unsigned int nr_ioapics;
static spinlock_t ioapic_lock = SPINLOCK_INIT(RANK_IOAPIC);

static uint32_t reg_read(unsigned int i, unsigned int reg)
{
    mmio_write32(ioapics[i].regs + REG_SELECT, reg);
    return mmio_read32(ioapics[i].regs + REG_WINDOW);
}

static void reg_write(unsigned int i, unsigned int reg, uint32_t v)
{
    mmio_write32(ioapics[i].regs + REG_SELECT, reg);
    mmio_write32(ioapics[i].regs + REG_WINDOW, v);
}

static void write_rte(struct irq_desc *d, bool masked)
{
    uint32_t lo = d->vector | (d->active_low ? RTE_LOW : 0) | (d->trigger_level ? RTE_LEVEL : 0) |
                  (masked ? RTE_MASKED : 0);
    unsigned long flags;

    spin_lock_irqsave(&ioapic_lock, flags);
    if (masked) {
        reg_write(d->ioapic, RTE(d->pin), lo);
    }
    reg_write(d->ioapic, RTE(d->pin) + 1, cpu_to_apic_id[d->cpu] << 24);
    reg_write(d->ioapic, RTE(d->pin), lo);
    spin_unlock_irqrestore(&ioapic_lock, flags);
}

static void ioapic_mask(struct irq_desc *d)
{
    write_rte(d, true);
}
static void ioapic_unmask(struct irq_desc *d)
{
    write_rte(d, false);
}
static void ioapic_set_target(struct irq_desc *d)
{
    write_rte(d, true);
}

const struct irq_controller ioapic_edge = {.name = "IO-APIC-edge",
                                           .mask = ioapic_mask,
                                           .unmask = ioapic_unmask,
                                           .set_target = ioapic_set_target};
const struct irq_controller ioapic_level = {.name = "IO-APIC-level",
                                            .level = true,
                                            .mask = ioapic_mask,
                                            .unmask = ioapic_unmask,
                                            .set_target = ioapic_set_target};

bool ioapic_has_gsi(unsigned int gsi)
{
    return gsi < nr_gsis && irq_to_desc(gsi)->ctl != NULL;
}

int ioapic_setup_gsi(unsigned int gsi, bool level, bool active_low)
{
    struct irq_desc *desc;
    unsigned long flags;
    int rc = 0;

    if (!ioapic_has_gsi(gsi)) {
        return -EINVAL;
    }
    desc = irq_to_desc(gsi);
    spin_lock_irqsave(&desc->lock, flags);
    if (desc->enabled) {
        rc = -EEXIST;
    } else {
        desc->trigger_level = level;
        desc->active_low = active_low;
        desc->ctl = level ? &ioapic_level : &ioapic_edge;
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    return rc;
}

/* ISA lines are edge-triggered and active high unless the MADT says otherwise. */
static void __init apply_overrides(void)
{
    for (unsigned int i = 0; i < acpi.nr_overrides; i++) {
        const struct acpi_override *o = &acpi.override[i];

        if (!ioapic_has_gsi(o->gsi)) {
            continue;
        }
        printk("IRQ override: ISA %u is GSI %u, %s, %s\n", o->irq, o->gsi,
               ((o->flags >> TRIGGER_SHIFT) & 3) == TRIGGER_LEVEL ? "level" : "edge",
               (o->flags & POLARITY_MASK) == POLARITY_LOW ? "low" : "high");
        (void)!ioapic_setup_gsi(o->gsi, ((o->flags >> TRIGGER_SHIFT) & 3) == TRIGGER_LEVEL,
                                (o->flags & POLARITY_MASK) == POLARITY_LOW);
    }
}

static unsigned int isa_irq_to_gsi(unsigned int irq)
{
    for (unsigned int i = 0; i < acpi.nr_overrides; i++) {
        if (acpi.override[i].irq == irq) {
            return acpi.override[i].gsi;
        }
    }
    return irq;
}

int irq_request_isa(unsigned int irq, const char *name, void (*fn)(void *), void *data)
{
    return irq_request(isa_irq_to_gsi(irq), name, fn, data);
}

/* Maps the I/O APICs, before the descriptors exist. */
unsigned int __init ioapic_count_gsis(void)
{
    unsigned int gsis = 16;

    for (unsigned int i = 0; i < acpi.nr_ioapics; i++) {
        unsigned int n = nr_ioapics;

        ioapics[n].regs = ioremap(paddr(acpi.ioapic[i].address), PAGE_SIZE);
        if (!ioapics[n].regs || reg_read(n, IOAPIC_VER) == ~0u) {
            continue;
        }
        ioapics[n].address = acpi.ioapic[i].address;
        ioapics[n].gsi_base = acpi.ioapic[i].gsi_base;
        ioapics[n].pins = min((reg_read(n, IOAPIC_VER) >> 16 & 0xff) + 1, MAX_PINS);
        gsis = max(gsis, ioapics[n].gsi_base + ioapics[n].pins);
        printk("IO-APIC %u at %#lx: GSI %u-%u\n", acpi.ioapic[i].id,
               (unsigned long)ioapics[n].address, ioapics[n].gsi_base,
               ioapics[n].gsi_base + ioapics[n].pins - 1);
        nr_ioapics++;
    }
    return gsis < 512 ? gsis : 512;
}

void __init ioapic_init(void)
{
    for (unsigned int i = 0; i < nr_ioapics; i++) {
        for (unsigned int pin = 0; pin < ioapics[i].pins; pin++) {
            unsigned int gsi = ioapics[i].gsi_base + pin;
            struct irq_desc *desc;

            if (gsi >= nr_gsis) {
                break;
            }
            desc = irq_to_desc(gsi);
            desc->ioapic = (uint8_t)i;
            desc->pin = (uint8_t)pin;
            desc->name = "line";
            /* PCI's lines are level, low; below 16 they are ISA's until Domain 0 says otherwise. */
            desc->trigger_level = desc->active_low = gsi >= 16;
            desc->ctl = gsi >= 16 ? &ioapic_level : &ioapic_edge;
            write_rte(desc, true);
        }
    }
    apply_overrides();
}

/* ---- what Domain 0 may see of it ---- */

static int find(uint64_t address)
{
    for (unsigned int i = 0; i < nr_ioapics; i++) {
        if (ioapics[i].address == address) {
            return (int)i;
        }
    }
    return -1;
}

int ioapic_guest_read(uint64_t address, uint32_t reg, uint32_t *v)
{
    int i = find(address);
    unsigned long flags;

    if (i < 0 || reg >= 0x100) {
        return -EINVAL;
    }
    spin_lock_irqsave(&ioapic_lock, flags);
    *v = reg_read((unsigned int)i, reg);
    spin_unlock_irqrestore(&ioapic_lock, flags);
    return 0;
}

int ioapic_guest_write(uint64_t address, uint32_t reg, uint32_t v)
{
    int i = find(address);
    unsigned int pin = (reg - RTE(0)) / 2;

    if (i < 0) {
        return -EINVAL;
    }
    /* Only the low halves of entries mean something: trigger and polarity of a line not in use. */
    if (reg < RTE(0) || (reg & 1) || pin >= ioapics[i].pins) {
        return 0;
    }
    if ((v & 0x700) != 0) {
        return 0; /* ExtINT, NMI, SMI: Linux's probing of the timer */
    }
    (void)!ioapic_setup_gsi(ioapics[i].gsi_base + pin, v & RTE_LEVEL, v & RTE_LOW);
    return 0;
}

unsigned int platform_nr_ioapics(void)
{
    return nr_ioapics;
}

uint64_t platform_ioapic_paddr(unsigned int i)
{
    return ioapics[i].address;
}
