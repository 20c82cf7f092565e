/*
 * Finds and reads the ACPI tables (ACPI 6, chapter 5). Each table is mapped whole while it is read;
 * a wrong checksum is only reported, as firmware gets it wrong too often. Nothing a table says is
 * believed further than the bounds of our arrays.
 */
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <arch/acpi.h>
#include <arch/boot.h>
#include <arch/layout.h>
#include "acpi_internal.h"

struct acpi_info acpi;
static bool acpi_on = true;
bool_param(acpi_param, "acpi", acpi_on, "use the firmware's ACPI tables");

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __packed;
_Static_assert(sizeof(struct rsdp) == 36, "ACPI Root System Description Pointer");

#define TABLE_MAX 0x400000u

static uint8_t __init sum(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t s = 0;

    while (n-- > 0) {
        s = (uint8_t)(s + *b++);
    }
    return s;
}

const struct acpi_header *__init acpi_map_table(uint64_t pa)
{
    const struct acpi_header *h = ioremap_flags(paddr(pa), sizeof(*h), PTE_HYP_RO);
    uint32_t length;

    if (!h) {
        return NULL;
    }
    length = h->length;
    iounmap((void *)(unsigned long)h);
    if (length < sizeof(*h) || length > TABLE_MAX) {
        return NULL;
    }
    return ioremap_flags(paddr(pa), length, PTE_HYP_RO);
}

void __init acpi_unmap_table(const struct acpi_header *h)
{
    iounmap((void *)(unsigned long)h);
}

/* Below 1 MiB, which the first page tables and the direct map both have... through ioremap. */
static uint64_t __init scan(uint64_t start, size_t n)
{
    const char *p = ioremap_flags(paddr(start), n, PTE_HYP_RO);
    uint64_t found = 0;

    for (size_t i = 0; p && i + 20 <= n; i += 16) {
        if (memcmp(p + i, "RSD PTR ", 8) == 0 && sum(p + i, 20) == 0) {
            found = start + i;
            break;
        }
    }
    if (p) {
        iounmap((void *)(unsigned long)p);
    }
    return found;
}

/* ACPI 6, "Finding the RSDP on IA-PC Systems": the EBDA's first KiB, then 0xe0000-0xfffff. */
static uint64_t __init find_rsdp(void)
{
    const uint16_t *bda = ioremap_flags(paddr(0), PAGE_SIZE, PTE_HYP_RO);
    uint64_t ebda = 0, rsdp = 0;

    if (bda) {
        ebda = (uint64_t)bda[0x40e / 2] << 4;
        iounmap((void *)(unsigned long)bda);
    }
    if (ebda >= 0x400 && ebda < 0xa0000) {
        rsdp = scan(ebda, 1024);
    }
    return rsdp ? rsdp : scan(0xe0000, 0x20000);
}

static void __init read_table(uint64_t pa)
{
    static const struct {
        char signature[5];
        void (*read)(const struct acpi_header *h);
    } readers[] = {
        {"APIC", acpi_read_madt},
        {"FACP", acpi_read_fadt},
        {"HPET", acpi_read_hpet},
        {"MCFG", acpi_read_mcfg},
    };
    const struct acpi_header *h = acpi_map_table(pa);

    if (!h) {
        printk(LOG_WARNING "ACPI: no valid table at %#lx\n", (unsigned long)pa);
        return;
    }
    printk("ACPI: %.4s at %#lx, %u bytes, revision %u%s\n", h->signature, (unsigned long)pa,
           h->length, h->revision, sum(h, h->length) == 0 ? "" : ", wrong checksum");
    for (unsigned int i = 0; i < ARRAY_SIZE(readers); i++) {
        if (memcmp(h->signature, readers[i].signature, 4) == 0) {
            readers[i].read(h);
        }
    }
    acpi_unmap_table(h);
}

static void __init read_root(uint64_t pa, size_t entry)
{
    const struct acpi_header *root = acpi_map_table(pa);
    const char *p;

    if (!root) {
        printk(LOG_WARNING "ACPI: no root table at %#lx\n", (unsigned long)pa);
        return;
    }
    p = (const char *)(root + 1);
    for (size_t at = sizeof(*root); at + entry <= root->length; at += entry, p += entry) {
        uint64_t table = 0;

        memcpy(&table, p, entry);
        if (table != 0) {
            read_table(table);
        }
    }
    acpi_unmap_table(root);
}

void __init acpi_init(uint64_t rsdp_hint)
{
    const struct rsdp *map;
    struct rsdp rsdp;

    acpi.lapic_address = 0xfee00000;
    if (!acpi_on) {
        return;
    }
    acpi.rsdp = rsdp_hint ? rsdp_hint : find_rsdp();
    if (acpi.rsdp == 0) {
        printk(LOG_WARNING "ACPI: the firmware has no tables; one CPU, the PIT\n");
        return;
    }
    map = ioremap_flags(paddr(acpi.rsdp), sizeof(rsdp), PTE_HYP_RO);
    if (!map) {
        return;
    }
    memcpy(&rsdp, map, sizeof(rsdp));
    iounmap((void *)(unsigned long)map);
    if (rsdp.revision >= 2 && rsdp.xsdt != 0) {
        read_root(rsdp.xsdt, 8);
    } else {
        read_root(rsdp.rsdt, 4);
    }
    acpi_find_s5();
    if (rsdp_hint) {
        acpi.rsdp = find_rsdp(); /* the hint is a copy in memory that will be given back */
    }
}
