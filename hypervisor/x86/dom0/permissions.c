/*
 * What of the machine Domain 0 may touch directly: everything, but for the devices that the
 * hypervisor itself drives.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <arch/platform.h>
#include "dom0.h"

/* [first, last] I/O ports that stay with the hypervisor. */
static const struct {
    uint16_t first, last;
} denied_ports[] __initdata = {
    {0x20, 0x21},                 /* interrupt controllers */
    {0xa0, 0xa1}, {0x4d0, 0x4d1}, /* edge/level control */
    {0x40, 0x43},                 /* interval timer */
    {0x61, 0x61},                 /* its gate, and NMI status */
};

static int __init deny_ports(struct domain *d)
{
    unsigned int base = platform_console_ioport();
    int rc = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(denied_ports) && !rc; i++) {
        rc = rangeset_remove(d->ioport_caps, denied_ports[i].first, denied_ports[i].last);
    }
    if (!rc && base) {
        rc = rangeset_remove(d->ioport_caps, base, base + 7);
    }
    base = platform_pmtimer_ioport();
    if (!rc && base) {
        rc = rangeset_remove(d->ioport_caps, base, base + 3);
    }
    return rc;
}

/* Local and I/O APICs, and the addresses to which devices send interrupts. */
static int __init deny_memory(struct domain *d)
{
    int rc = rangeset_remove(d->iomem_caps, 0xfee00, 0xfeeff);

    for (unsigned int i = 0; i < platform_nr_ioapics() && !rc; i++) {
        uint64_t frame = platform_ioapic_paddr(i) >> PAGE_SHIFT;

        rc = rangeset_remove(d->iomem_caps, frame, frame);
    }
    return rc;
}

void __init dom0_grant_permissions(struct domain *d)
{
    int rc = rangeset_add(d->ioport_caps, 0, 0xffff);

    if (!rc) {
        rc = rangeset_add(d->iomem_caps, 0, BIT(arch_phys_bits() - PAGE_SHIFT) - 1);
    }
    if (!rc) {
        rc = rangeset_add(d->irq_caps, 1, MAX_PIRQS - 1);
    }
    if (!rc) {
        rc = deny_ports(d);
    }
    if (!rc) {
        rc = deny_memory(d);
    }
    if (rc) {
        dom0_fail("Not enough memory to set up Domain 0 (%d): give the machine more.", rc);
    }
}
