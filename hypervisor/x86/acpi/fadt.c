/* FADT, HPET and MCFG: fixed registers, timers, PCI configuration space. ACPI 6, chapter 5. */
#include <hospes/lib.h>
#include "acpi_internal.h"

/* Only as far as we read it; each field's offset is in the table of "Fixed ACPI Description Table".
 */
struct fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved0, profile;
    uint16_t sci_irq;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
    uint32_t gpe0, gpe1;
    uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
    uint8_t gpe0_len, gpe1_len, gpe1_base, cst_control;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_arch;
    uint8_t reserved1;
    uint32_t flags;
    struct acpi_gas reset;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct acpi_gas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control;
    struct acpi_gas x_pm_timer;
} __packed;
_Static_assert(__builtin_offsetof(struct fadt, flags) == 112, "FADT flags");
_Static_assert(__builtin_offsetof(struct fadt, x_pm_timer) == 208, "FADT X_PM_TMR_BLK");

#define FADT_RESET_REG BIT(10)
#define FADT_TMR_32    BIT(8)

/* The extended register when the table has it and it is set, else the old I/O port. */
static struct acpi_gas __init fixed(const struct acpi_header *h, const struct acpi_gas *x,
                                    uint32_t port, unsigned int bytes)
{
    if ((const char *)(x + 1) <= (const char *)h + h->length && x->address != 0) {
        return *x;
    }
    return (struct acpi_gas){
        .space = GAS_IO, .bit_width = (uint8_t)(bytes * 8), .access = 0, .address = port};
}

void __init acpi_read_fadt(const struct acpi_header *h)
{
    const struct fadt *f = (const struct fadt *)h;

    if (h->length < 116) {
        return;
    }
    acpi.have_fadt = true;
    acpi.sci_irq = f->sci_irq;
    acpi.smi_command = f->smi_command;
    acpi.acpi_enable = f->acpi_enable;
    acpi.century = f->century;
    acpi.boot_arch_flags = f->boot_arch;
    acpi.pm1a_status = fixed(h, &f->x_pm1a_event, f->pm1a_event, f->pm1_event_len / 2u);
    acpi.pm1b_status = fixed(h, &f->x_pm1b_event, f->pm1b_event, f->pm1_event_len / 2u);
    acpi.pm1a_control = fixed(h, &f->x_pm1a_control, f->pm1a_control, 2);
    acpi.pm1b_control = fixed(h, &f->x_pm1b_control, f->pm1b_control, 2);
    if (f->pm_timer_len == 4) {
        acpi.pm_timer = fixed(h, &f->x_pm_timer, f->pm_timer, 4);
    }
    acpi.pm_timer_32bit = f->flags & FADT_TMR_32;
    acpi.facs = f->facs;
    acpi.dsdt = f->dsdt;
    if (h->length >= 148 && f->x_dsdt != 0) {
        acpi.dsdt = f->x_dsdt;
    }
    if (h->length >= 129 && (f->flags & FADT_RESET_REG)) {
        acpi.reset_supported = true;
        acpi.reset = f->reset;
        acpi.reset_value = f->reset_value;
    }
}

struct hpet_table {
    struct acpi_header header;
    uint32_t block_id;
    struct acpi_gas address;
    uint8_t number;
    uint16_t minimum_tick;
    uint8_t page_protection;
} __packed;

void __init acpi_read_hpet(const struct acpi_header *h)
{
    const struct hpet_table *t = (const struct hpet_table *)h;

    if (h->length >= sizeof(*t) && t->address.space == GAS_MEMORY && acpi.hpet_address == 0) {
        acpi.hpet_address = t->address.address;
        acpi.hpet_minimum_tick = t->minimum_tick;
    }
}

struct mcfg_entry {
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved;
} __packed;

void __init acpi_read_mcfg(const struct acpi_header *h)
{
    const char *p = (const char *)(h + 1) + 8, *end = (const char *)h + h->length;

    for (; p + sizeof(struct mcfg_entry) <= end && acpi.nr_mcfg < MAX_MCFG;
         p += sizeof(struct mcfg_entry)) {
        const struct mcfg_entry *e = (const struct mcfg_entry *)p;

        acpi.mcfg[acpi.nr_mcfg++] = (struct acpi_mcfg){.base = e->base,
                                                       .segment = e->segment,
                                                       .first_bus = e->first_bus,
                                                       .last_bus = e->last_bus};
    }
}
