/*
 * PCI configuration space in memory (MCFG). Where firmware says that it is, and the memory map or
 * Domain 0 that nothing else is there, its frames are read-only for Domain 0: its writes fault and
 * are done here, as those to the ports are. Read first: pci.h.
 *
 * The table is filled at boot; which areas are enabled changes under pci_lock.
 */
#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <arch/acpi.h>
#include <arch/boot.h>
#include <arch/io.h>
#include <arch/mm.h>
#include <arch/pv_mm.h>
#include "pirq_internal.h"

#define BUS_SHIFT    20 /* configuration space of a bus: 1 MiB, 4 KiB a function */
#define MIN_RESERVED (16ul << 20)

static struct mmcfg {
    struct acpi_mcfg area; /* base: where bus 0 would be */
    bool enabled;
} mmcfg[MAX_MCFG];
static unsigned int nr_mmcfg;

static uint64_t area_start(const struct mmcfg *m)
{
    return m->area.base + ((uint64_t)m->area.first_bus << BUS_SHIFT);
}

static uint64_t area_end(const struct mmcfg *m)
{
    return m->area.base + ((m->area.last_bus + 1ull) << BUS_SHIFT);
}

static int enable(struct mmcfg *m)
{
    int rc;

    if (m->enabled) {
        return 0;
    }
    rc = mmio_ro_add(paddr_to_mfn(paddr(area_start(m))), paddr_to_mfn(paddr(area_end(m) - 1)));
    if (rc != 0) {
        return -ENOMEM;
    }
    m->enabled = true;
    printk("PCI: configuration space of segment %04x, buses %02x to %02x at %#lx\n",
           m->area.segment, m->area.first_bus, m->area.last_bus, (unsigned long)area_start(m));
    return 0;
}

static void disable(struct mmcfg *m)
{
    if (m->enabled) {
        mmio_ro_remove(paddr_to_mfn(paddr(area_start(m))), paddr_to_mfn(paddr(area_end(m) - 1)));
        m->enabled = false;
        printk("PCI: configuration space of segment %04x in memory is not used\n", m->area.segment);
    }
}

/* ---- boot ---- */

/* Does the memory map say so of every byte? */
static bool __init is_reserved(uint64_t start, uint64_t end)
{
    for (unsigned int i = 0; i < memory_map.nr && start < end; i++) {
        const struct memory_region *r = &memory_map.region[i];

        if (r->type == E820_RESERVED && r->start <= start && r->start + r->size > start) {
            start = r->start + r->size;
        }
    }
    return start >= end;
}

void __init pci_mmcfg_init(void)
{
    for (unsigned int i = 0; i < acpi.nr_mcfg; i++) {
        struct mmcfg *m = &mmcfg[nr_mmcfg];
        uint64_t size;

        if (acpi.mcfg[i].base == 0 || (acpi.mcfg[i].base & (PAGE_SIZE - 1)) ||
            acpi.mcfg[i].base >> (arch_phys_bits() - 1) ||
            acpi.mcfg[i].first_bus > acpi.mcfg[i].last_bus) {
            printk(LOG_WARNING "ACPI: entry %u of MCFG makes no sense\n", i);
            continue;
        }
        nr_mmcfg++;
        m->area = acpi.mcfg[i];
        size = area_end(m) - area_start(m);
        /* Some firmware reserves what it has buses for only. */
        while (size >= MIN_RESERVED && !is_reserved(area_start(m), area_start(m) + size)) {
            size /= 2;
        }
        if (is_reserved(area_start(m), area_start(m) + size)) {
            m->area.last_bus = (uint8_t)(m->area.first_bus + (size >> BUS_SHIFT) - 1);
            (void)!enable(m);
        }
    }
}

/* ---- Domain 0 ---- */

int pci_mmcfg_reserved(uint64_t base, uint16_t segment, uint8_t first, uint8_t last, bool reserved)
{
    for (unsigned int i = 0; i < nr_mmcfg; i++) {
        struct mmcfg *m = &mmcfg[i];

        if (m->area.segment == segment && m->area.first_bus == first && m->area.last_bus == last) {
            if (m->area.base != base) {
                return -EIO;
            }
            if (reserved) {
                return enable(m);
            }
            disable(m);
            return 0;
        }
    }
    return -ENODEV;
}

/* ---- access ---- */

volatile uint8_t *pci_map_function(struct pci_id id)
{
    for (unsigned int i = 0; i < nr_mmcfg; i++) {
        const struct mmcfg *m = &mmcfg[i];

        if (m->enabled && m->area.segment == id.segment && id.bus >= m->area.first_bus &&
            id.bus <= m->area.last_bus) {
            return ioremap(paddr(m->area.base + ((uint64_t)id.bus << BUS_SHIFT) +
                                 ((uint64_t)id.devfn << PAGE_SHIFT)),
                           PAGE_SIZE);
        }
    }
    return NULL;
}

/* The function whose space the frame is. */
static bool decode(mfn_t m, struct pci_id *id)
{
    uint64_t at = mfn_to_paddr(m).v;

    for (unsigned int i = 0; i < nr_mmcfg; i++) {
        const struct mmcfg *area = &mmcfg[i];

        if (area->enabled && at >= area_start(area) && at < area_end(area)) {
            at -= area->area.base;
            *id = (struct pci_id){.segment = area->area.segment,
                                  .bus = (uint8_t)(at >> BUS_SHIFT),
                                  .devfn = (uint8_t)(at >> PAGE_SHIFT)};
            return true;
        }
    }
    return false;
}

bool pci_mmcfg_guest_write(mfn_t m, unsigned int reg, unsigned int bytes, uint32_t v)
{
    struct pci_id id;
    bool found;

    spin_lock(&pci_lock);
    found = decode(m, &id);
    if (found) {
        pci_write(id, reg, bytes, v);
    }
    spin_unlock(&pci_lock);
    return found;
}

bool pci_mmcfg_contains(mfn_t m)
{
    struct pci_id id;
    bool found;

    spin_lock(&pci_lock);
    found = decode(m, &id);
    spin_unlock(&pci_lock);
    return found;
}
