/*
 * Reboot, halt and power-off. Reboot tries, in this order: the ACPI reset register, port 0xcf9, the
 * keyboard controller, a triple fault. Option reboot= starts at another one. Other CPUs are stopped
 * first, those with interrupts off by NMI.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <arch/acpi.h>
#include <arch/desc.h>
#include <arch/io.h>
#include <arch/smp.h>
#include <arch/time.h>

#define PORT_RESET  0xcf9
#define KBC_COMMAND 0x64
#define KBC_BUSY    0x02
#define KBC_RESET   0xfe

static char opt_reboot[16];
string_param(reboot, "reboot", opt_reboot, "first way to try: acpi, pci, kbd, triple, or no");

void machine_halt(void)
{
    local_irq_disable();
    console_sync();
    smp_stop_others();
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static void reset_by_pci(void)
{
    outb(PORT_RESET, 0x02);
    udelay(50);
    outb(PORT_RESET, 0x06);
    udelay(50000);
}

static void reset_by_keyboard(void)
{
    for (unsigned int i = 0; i < 10; i++) {
        for (unsigned int j = 0; j < 10000 && (inb(KBC_COMMAND) & KBC_BUSY); j++) {
            udelay(2);
        }
        outb(KBC_COMMAND, KBC_RESET);
        udelay(10000);
    }
}

static void reset_by_triple_fault(void)
{
    struct desc_ptr none = {0, 0};

    load_idt(&none);
    __asm__ volatile("int3");
}

static const struct {
    const char *name;
    void (*fn)(void);
} ways[] = {
    {"acpi", acpi_reset},
    {"pci", reset_by_pci},
    {"kbd", reset_by_keyboard},
    {"triple", reset_by_triple_fault},
};

void machine_restart(unsigned int delay_ms)
{
    unsigned int first = 0;

    local_irq_disable();
    console_sync();
    smp_stop_others();
    for (unsigned int ms = 0; ms < delay_ms; ms++) {
        udelay(1000);
    }
    if (strncmp(opt_reboot, "no", 2) == 0) {
        machine_halt();
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
        if (strncmp(opt_reboot, ways[i].name, strlen(ways[i].name)) == 0 && opt_reboot[0]) {
            first = i;
        }
    }
    for (unsigned int i = first;; i = (i + 1) % ARRAY_SIZE(ways)) {
        ways[i].fn();
    }
}

void machine_power_off(void)
{
    local_irq_disable();
    console_sync();
    smp_stop_others();
    acpi_power_off();
    printk(LOG_ERR "The firmware did not switch the machine off; halted.\n");
    machine_halt();
}
