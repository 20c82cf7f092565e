/*
 * What of the machine Domain 0 may touch directly: everything, but for the devices that the
 * hypervisor itself drives.
 */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <arch/acpi.h>
#include <arch/boot.h>
#include <arch/cpufeature.h>
#include <arch/platform.h>
#include <arch/pv_mm.h>
#include <arch/smp.h>
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

static int __init deny_frames(struct domain *d, uint64_t first, uint64_t last)
{
    return first > last ? 0 : rangeset_remove(d->iomem_caps, first, last);
}

/* Local APICs, and the addresses to which devices send interrupts; memory that is broken; where
 * AMD's processors talk to HyperTransport devices: the last 12 GiB of the address space. */
static int __init deny_memory(struct domain *d)
{
    uint64_t end = BIT(arch_phys_bits() - PAGE_SHIFT);
    int rc = deny_frames(d, 0xfee00, 0xfeeff);

    for (unsigned int i = 0; i < memory_map.nr && !rc; i++) {
        const struct memory_region *r = &memory_map.region[i];

        if (r->type == E820_UNUSABLE && r->size != 0) {
            rc = deny_frames(d, max(r->start >> PAGE_SHIFT, 0x100ul),
                             (r->start + r->size - 1) >> PAGE_SHIFT);
        }
    }
    if (!rc && (boot_cpu.vendor == VENDOR_AMD || boot_cpu.vendor == VENDOR_HYGON)) {
        end = boot_cpu.family < 0x17 ? BIT(40 - PAGE_SHIFT) : end;
        rc = deny_frames(d, end - (3ul << (32 - PAGE_SHIFT)), end - 1);
    }
    return rc;
}

/* What firmware's code, which Domain 0 runs, may want to read, but only the hypervisor writes. */
static int __init protect_memory(struct domain *d)
{
    uint64_t hpet = acpi.hpet_address >> PAGE_SHIFT;
    int rc = 0;

    for (unsigned int i = 0; i < platform_nr_ioapics() && !rc; i++) {
        mfn_t m = mfn(platform_ioapic_paddr(i) >> PAGE_SHIFT);

        rc = mmio_ro_add(m, m);
    }
    if (!rc && hpet != 0) {
        rc = mmio_ro_add(mfn(hpet), mfn(hpet));
    }
    if (!rc && smp_trampoline() != 0) { /* where other CPUs start */
        rc = mmio_ro_add(mfn(smp_trampoline() >> PAGE_SHIFT), mfn(smp_trampoline() >> PAGE_SHIFT));
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
    if (!rc) {
        rc = protect_memory(d);
    }
    if (rc) {
        dom0_fail("Not enough memory to set up Domain 0 (%d): give the machine more.", rc);
    }
}
