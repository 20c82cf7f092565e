/*
 * Registers that ACPI describes: reading and writing them, power-off and reset. The values for S5
 * come from Domain 0, which runs the firmware's AML; without it from the bytes of _S5_ in the DSDT.
 */
#include <hospes/lib.h>
#include <arch/io.h>
#include <arch/platform.h>
#include <arch/time.h>
#include "acpi_internal.h"

#define PM1_SCI_EN    BIT(0)
#define PM1_SLP_SHIFT 10u
#define PM1_SLP_MASK  (7u << PM1_SLP_SHIFT)
#define PM1_SLP_EN    BIT(13)
#define PCI_ADDRESS   0xcf8
#define PCI_DATA      0xcfc
#define SLEEP_UNKNOWN 0xff

static uint8_t sleep_type_a = SLEEP_UNKNOWN, sleep_type_b;

static unsigned int width(const struct acpi_gas *gas)
{
    /* access: 1 byte, 2 word, 3 dword, 4 qword; 0: by bit_width. */
    unsigned int bits = gas->access ? 4u << gas->access : gas->bit_width;

    return bits <= 8 ? 8 : bits <= 16 ? 16 : 32;
}

uint64_t gas_read(const struct acpi_gas *gas)
{
    if (gas->space == GAS_IO) {
        uint16_t port = (uint16_t)gas->address;

        return width(gas) == 8 ? inb(port) : width(gas) == 16 ? inw(port) : inl(port);
    }
    return ~0ull; /* registers in memory: only those that are mapped by their users */
}

static void write_memory(const struct acpi_gas *gas, uint64_t v)
{
    volatile uint8_t *p = ioremap(paddr(gas->address), 8);

    if (!p) {
        return;
    }
    switch (width(gas)) {
    case 8:
        mmio_write8(p, (uint8_t)v);
        break;
    case 16:
        mmio_write16(p, (uint16_t)v);
        break;
    default:
        mmio_write32(p, (uint32_t)v);
    }
    iounmap((void *)(unsigned long)p);
}

void gas_write(const struct acpi_gas *gas, uint64_t v)
{
    uint16_t port = (uint16_t)gas->address;

    switch (gas->space) {
    case GAS_IO:
        if (width(gas) == 8) {
            outb(port, (uint8_t)v);
        } else if (width(gas) == 16) {
            outw(port, (uint16_t)v);
        } else {
            outl(port, (uint32_t)v);
        }
        break;
    case GAS_MEMORY:
        write_memory(gas, v);
        break;
    case GAS_PCI:
        /* Device in bits 47-32, function in 31-16, register in 15-0; bus 0. */
        outl(PCI_ADDRESS, 0x80000000u | (uint32_t)(gas->address >> 32 & 31) << 11 |
                              (uint32_t)(gas->address >> 16 & 7) << 8 |
                              (uint32_t)(gas->address & 0xfc));
        outb((uint16_t)(PCI_DATA + (gas->address & 3)), (uint8_t)v);
        break;
    default:
        break;
    }
}

/* One small integer constant of AML: ZeroOp, OneOp or BytePrefix. ACPI 6, "Data Objects Encoding".
 */
static const uint8_t *__init aml_byte(const uint8_t *p, uint8_t *v)
{
    if (*p == 0x0a) {
        *v = p[1];
        return p + 2;
    }
    *v = *p;
    return p + 1;
}

void __init acpi_find_s5(void)
{
    const struct acpi_header *h = acpi.dsdt ? acpi_map_table(acpi.dsdt) : NULL;
    const uint8_t *p, *end;

    if (!h) {
        return;
    }
    end = (const uint8_t *)h + h->length - 16;
    for (p = (const uint8_t *)(h + 1); p < end; p++) {
        /* NameOp, "_S5_", PackageOp, PkgLength, NumElements, values */
        if (memcmp(p, "_S5_", 4) == 0 && p[4] == 0x12) {
            p += 5;
            p += (*p >> 6) + 1; /* PkgLength: lead byte says how many follow */
            p++;
            p = aml_byte(p, &sleep_type_a);
            (void)aml_byte(p, &sleep_type_b);
            break;
        }
    }
    acpi_unmap_table(h);
}

static void set_sleep(const struct acpi_gas *reg, uint8_t type)
{
    uint64_t v;

    if (reg->address == 0) {
        return;
    }
    v = (gas_read(reg) & ~(uint64_t)PM1_SLP_MASK) | (uint64_t)(type & 7) << PM1_SLP_SHIFT;
    gas_write(reg, v);
    gas_write(reg, v | PM1_SLP_EN);
}

void acpi_set_sleep_values(uint16_t a, uint16_t b)
{
    sleep_type_a = (a & PM1_SLP_MASK) >> PM1_SLP_SHIFT;
    sleep_type_b = (b & PM1_SLP_MASK) >> PM1_SLP_SHIFT;
}

void acpi_power_off(void)
{
    if (!acpi.have_fadt || sleep_type_a == SLEEP_UNKNOWN) {
        return;
    }
    if (!(gas_read(&acpi.pm1a_control) & PM1_SCI_EN) && acpi.smi_command != 0) {
        outb((uint16_t)acpi.smi_command, acpi.acpi_enable);
        udelay(10000);
    }
    set_sleep(&acpi.pm1b_control, sleep_type_b);
    set_sleep(&acpi.pm1a_control, sleep_type_a);
    udelay(100000);
}

void acpi_reset(void)
{
    if (acpi.reset_supported) {
        gas_write(&acpi.reset, acpi.reset_value);
        udelay(10000);
    }
}

unsigned int platform_pmtimer_ioport(void)
{
    return acpi.pm_timer.space == GAS_IO ? (unsigned int)acpi.pm_timer.address : 0;
}
