/*
 * What the hypervisor reads of ACPI: processors and interrupt controllers (MADT), timers (FADT,
 * HPET), reset and sleep registers (FADT), PCI configuration space (MCFG). AML is Domain 0's.
 */
#ifndef ARCH_ACPI_H
#define ARCH_ACPI_H

#include <hospes/cpumask.h>

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __packed;
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI System Description Table Header");

/* ACPI 6, "Generic Address Structure". */
struct acpi_gas {
    uint8_t space, bit_width, bit_offset, access;
    uint64_t address;
} __packed;
enum { GAS_MEMORY = 0, GAS_IO = 1, GAS_PCI = 2 };

#define MAX_IOAPICS       16u
#define MAX_IRQ_OVERRIDES 32u
#define MAX_MCFG          16u
#define MAX_LAPIC_NMI     64u

struct acpi_ioapic {
    uint32_t id, gsi_base;
    uint64_t address;
};
struct acpi_override {
    uint8_t irq;
    uint16_t flags; /* MPS INTI: polarity bits 0-1, trigger bits 2-3 */
    uint32_t gsi;
};
struct acpi_mcfg {
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
};
struct acpi_cpu {
    uint32_t apic_id, acpi_id;
    bool enabled, hotplug;
};

struct acpi_info {
    uint64_t rsdp;
    uint64_t lapic_address;
    struct acpi_cpu cpu[NR_CPUS * 2];
    unsigned int nr_cpus;
    struct acpi_ioapic ioapic[MAX_IOAPICS];
    unsigned int nr_ioapics;
    struct acpi_override override[MAX_IRQ_OVERRIDES];
    unsigned int nr_overrides;
    struct acpi_mcfg mcfg[MAX_MCFG];
    unsigned int nr_mcfg;

    bool have_fadt;
    uint16_t sci_irq;
    struct acpi_gas pm1a_status, pm1b_status, pm1a_control, pm1b_control, pm_timer, reset;
    uint8_t reset_value;
    bool reset_supported, pm_timer_32bit;
    uint16_t boot_arch_flags;
    uint64_t facs, dsdt;
    uint32_t smi_command;
    uint8_t acpi_enable, century;

    uint64_t hpet_address;
    uint16_t hpet_minimum_tick;
};
extern struct acpi_info acpi;

/* Finds and reads the tables; rsdp_hint: where the loader has a copy, or 0. */
void acpi_init(uint64_t rsdp_hint);
uint64_t gas_read(const struct acpi_gas *gas);
void gas_write(const struct acpi_gas *gas, uint64_t v);
/* Enters S5 with the values that Domain 0 read from AML (XENPF_enter_acpi_sleep), or found by
 * looking for _S5_ in the DSDT; returns when that did not work. */
void acpi_power_off(void);
void acpi_set_sleep_values(uint16_t a, uint16_t b);
void acpi_reset(void);

#endif
