/*
 * The clock that the TSC is measured against: the HPET, else the ACPI PM timer, else channel 2 of
 * the PIT. Option clocksource=hpet|acpi|pit chooses.
 */
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/param.h>
#include <arch/acpi.h>
#include <arch/io.h>
#include <arch/time.h>
#include "platform_timer.h"

#define HPET_ID         0x000
#define HPET_CONFIG     0x010
#define HPET_COUNTER    0x0f0
#define HPET_ENABLE     BIT(0)
#define HPET_LEGACY     BIT(1)
#define HPET_64BIT      BIT(13)
#define FEMTOSECONDS    1000000000000000ull
#define PM_TIMER_HZ     3579545u
#define PIT_HZ          1193182u
#define PIT_CH2         0x42
#define PIT_MODE        0x43
#define PIT_SELECT      0xc0 /* in the mode register: the channel, or a read-back command */
#define PIT_SELECT_2    0x80
#define PIT_READ_BACK   0xc0
#define PIT_READ_BACK_2 0x08
#define PIT_READ_BACK_1 0x04
#define PIT_READ_BACK_0 0x02
#define PORT_B          0x61
#define PORT_B_OURS     0x03 /* gate and speaker: the rest is the machine's */
#define PORT_B_GATE2    0x01
#define PORT_B_SPEAKER  0x02

static char clocksource[8];
string_param(clocksource, "clocksource", clocksource, "platform timer: hpet, acpi or pit");

static volatile uint8_t *hpet;

static uint64_t hpet_read(void)
{
    return mmio_read32(hpet + HPET_COUNTER);
}

static bool __init hpet_init(struct platform_timer *t)
{
    uint64_t id, period;

    if (acpi.hpet_address == 0) {
        return false;
    }
    hpet = ioremap(paddr(acpi.hpet_address), PAGE_SIZE);
    if (!hpet) {
        return false;
    }
    id = mmio_read64(hpet + HPET_ID);
    period = id >> 32;
    /* HPET specification: at most 100 ns. */
    if (period == 0 || period > 100000000 || id == ~0ull) {
        return false;
    }
    mmio_write64(hpet + HPET_CONFIG,
                 (mmio_read64(hpet + HPET_CONFIG) & ~HPET_LEGACY) | HPET_ENABLE);
    t->hz = (FEMTOSECONDS + period / 2) / period;
    t->bits = 32;
    t->read = hpet_read;
    t->name = "HPET";
    return true;
}

static uint64_t pm_timer_read(void)
{
    return gas_read(&acpi.pm_timer);
}

static bool __init pm_timer_init(struct platform_timer *t)
{
    if (acpi.pm_timer.address == 0) {
        return false;
    }
    t->hz = PM_TIMER_HZ;
    t->bits = acpi.pm_timer_32bit ? 32 : 24;
    t->read = pm_timer_read;
    t->name = "ACPI PM timer";
    return true;
}

/* Counts down from 0xffff, again and again. */
static uint64_t pit_read(void)
{
    uint8_t lo;

    outb(PIT_MODE, 0x80); /* latch channel 2 */
    lo = inb(PIT_CH2);
    return 0xffffu & ~(uint64_t)(lo | (inb(PIT_CH2) << 8));
}

void platform_timer_init_pit(struct platform_timer *t)
{
    outb(PORT_B, (uint8_t)((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2));
    outb(PIT_MODE, 0xb4); /* channel 2, both bytes, mode 2 */
    outb(PIT_CH2, 0xff);
    outb(PIT_CH2, 0xff);
    t->hz = PIT_HZ;
    t->bits = 16;
    t->read = pit_read;
    t->name = "PIT";
}

/*
 * Domain 0's accesses to channel 2 of the PIT, its mode register and port 0x61, with which kernels
 * measure the TSC and beep: allowed while channel 2 is not the platform timer. False: the port is
 * not for Domain 0. What it cannot have of them (channels 0 and 1, reading the mode register)
 * reads as ones and is not written.
 */
bool platform_pit_access(unsigned int port, bool write, uint8_t *value)
{
    if (platform_timer.read == pit_read) {
        return false;
    }
    switch (port) {
    case PIT_CH2:
        if (write) {
            outb(PIT_CH2, *value);
        } else {
            *value = inb(PIT_CH2);
        }
        return true;
    case PIT_MODE:
        if (write && (*value & PIT_SELECT) == PIT_SELECT_2) {
            outb(PIT_MODE, *value);
        } else if (write && (*value & PIT_SELECT) == PIT_READ_BACK && (*value & PIT_READ_BACK_2)) {
            outb(PIT_MODE, *value & ~(PIT_READ_BACK_0 | PIT_READ_BACK_1));
        }
        return write;
    case PORT_B:
        if (write) {
            outb(PORT_B, (uint8_t)((inb(PORT_B) & ~PORT_B_OURS) | (*value & PORT_B_OURS)));
        } else {
            *value = inb(PORT_B);
        }
        return true;
    default:
        return false;
    }
}

void __init platform_timer_init(struct platform_timer *t)
{
    bool any = clocksource[0] == '\0';

    if ((any || strcmp(clocksource, "hpet") == 0) && hpet_init(t)) {
        return;
    }
    if ((any || strcmp(clocksource, "acpi") == 0) && pm_timer_init(t)) {
        return;
    }
    if (!any && strcmp(clocksource, "pit") != 0) {
        printk(LOG_WARNING "No clocksource \"%s\" on this machine: the PIT is used\n", clocksource);
    }
    platform_timer_init_pit(t);
}
