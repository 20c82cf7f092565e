/*
 * The end: panic and BUG. All consoles are written without
 * locks from here on. Read <hospes/lib.h> first.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/lib.h>
#include <hospes/param.h>

bool opt_noreboot;
bool_param(noreboot, "noreboot", opt_noreboot, "after a crash, stop instead of rebooting");

#define REBOOT_DELAY_MS 5000u

/* The CPU that panics, + 1. A second one waits for ever; the same one again only halts. */
static unsigned int panicking;

static void __noreturn stop(void)
{
    if (opt_noreboot) {
        printk(LOG_ERR "The machine needs a reset by hand (\"noreboot\" was given).\n");
        machine_halt();
    }
    printk(LOG_ERR "Rebooting in %u seconds.\n", REBOOT_DELAY_MS / 1000);
    machine_restart(REBOOT_DELAY_MS);
}

void panic(const char *fmt, ...)
{
    unsigned int none = 0, me = smp_processor_id() + 1;
    va_list args;

    local_irq_disable();
    if (!__atomic_compare_exchange_n(&panicking, &none, me, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (none == me) {
            machine_halt();
        }
        for (;;) {
            cpu_relax();
        }
    }
    console_force_unlock();
    printk(LOG_ERR "\n");
    printk(LOG_ERR "****************************************\n");
    printk(LOG_ERR "Panic on CPU %u:\n", me - 1);
    va_start(args, fmt);
    vprintk(fmt, args);
    va_end(args);
    printk(LOG_ERR "\n");
    arch_dump_execution_state();
    printk(LOG_ERR "****************************************\n");
    stop();
}

void bug(const char *file, int line, const char *what)
{
    panic(LOG_ERR "BUG at %s:%d: %s", file, line, what);
}
