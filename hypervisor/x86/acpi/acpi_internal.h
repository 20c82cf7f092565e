/* Between the files of x86/acpi. */
#ifndef ACPI_INTERNAL_H
#define ACPI_INTERNAL_H

#include <arch/acpi.h>
#include <arch/mm.h>

/* The whole table, mapped; NULL when its length makes no sense. */
const struct acpi_header *acpi_map_table(uint64_t pa);
void acpi_unmap_table(const struct acpi_header *h);

/* Each reads one table into `acpi`. */
void acpi_read_madt(const struct acpi_header *h);
void acpi_read_fadt(const struct acpi_header *h);
void acpi_read_hpet(const struct acpi_header *h);
void acpi_read_mcfg(const struct acpi_header *h);
/* Looks for the S5 values in the DSDT. */
void acpi_find_s5(void);

#endif
