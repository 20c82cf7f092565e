/* MADT: processors and interrupt controllers. ACPI 6, "Multiple APIC Description Table". */
#include <hospes/lib.h>
#include "acpi_internal.h"

struct madt {
    struct acpi_header header;
    uint32_t lapic_address, flags;
} __packed;

enum {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_ADDRESS = 5,
    MADT_X2APIC = 9,
};
#define MADT_CPU_ENABLED 1u
#define MADT_CPU_CAPABLE 2u

struct madt_entry {
    uint8_t type, length;
    union {
        struct {
            uint8_t acpi_id, apic_id;
            uint32_t flags;
        } __packed lapic;
        struct {
            uint8_t id, reserved;
            uint32_t address, gsi_base;
        } __packed ioapic;
        struct {
            uint8_t bus, irq;
            uint32_t gsi;
            uint16_t flags;
        } __packed irq_override;
        struct {
            uint16_t reserved;
            uint64_t address;
        } __packed lapic_address;
        struct {
            uint16_t reserved;
            uint32_t apic_id, flags, acpi_id;
        } __packed x2apic;
    };
} __packed;

static void __init add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (!(flags & (MADT_CPU_ENABLED | MADT_CPU_CAPABLE))) {
        return; /* a slot that can never hold a CPU */
    }
    if (acpi.nr_cpus == ARRAY_SIZE(acpi.cpu)) {
        return;
    }
    acpi.cpu[acpi.nr_cpus++] = (struct acpi_cpu){.apic_id = apic_id,
                                                 .acpi_id = acpi_id,
                                                 .enabled = flags & MADT_CPU_ENABLED,
                                                 .hotplug = !(flags & MADT_CPU_ENABLED)};
}

static void __init read_entry(const struct madt_entry *e)
{
    switch (e->type) {
    case MADT_LAPIC:
        if (e->length >= 8) {
            add_cpu(e->lapic.apic_id, e->lapic.acpi_id, e->lapic.flags);
        }
        break;
    case MADT_X2APIC:
        if (e->length >= 16) {
            add_cpu(e->x2apic.apic_id, e->x2apic.acpi_id, e->x2apic.flags);
        }
        break;
    case MADT_IOAPIC:
        if (e->length >= 12 && acpi.nr_ioapics < MAX_IOAPICS) {
            acpi.ioapic[acpi.nr_ioapics++] = (struct acpi_ioapic){
                .id = e->ioapic.id, .gsi_base = e->ioapic.gsi_base, .address = e->ioapic.address};
        }
        break;
    case MADT_OVERRIDE:
        if (e->length >= 10 && acpi.nr_overrides < MAX_IRQ_OVERRIDES) {
            acpi.override[acpi.nr_overrides++] =
                (struct acpi_override){.irq = e->irq_override.irq,
                                       .flags = e->irq_override.flags,
                                       .gsi = e->irq_override.gsi};
        }
        break;
    case MADT_LAPIC_ADDRESS:
        if (e->length >= 12) {
            acpi.lapic_address = e->lapic_address.address;
        }
        break;
    default:
        break;
    }
}

void __init acpi_read_madt(const struct acpi_header *h)
{
    const struct madt *madt = (const struct madt *)h;
    const char *p = (const char *)(madt + 1), *end = (const char *)h + h->length;

    if (h->length < sizeof(*madt)) {
        return;
    }
    acpi.lapic_address = madt->lapic_address;
    while (p + 2 <= end) {
        const struct madt_entry *e = (const struct madt_entry *)p;

        if (e->length < 2 || p + e->length > end) {
            printk(LOG_WARNING "ACPI: the MADT ends in the middle of an entry\n");
            return;
        }
        read_entry(e);
        p += e->length;
    }
}
