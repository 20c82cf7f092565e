/*
 * NMI and machine check. An NMI of unknown origin is Domain 0's affair (as on a PC, reasons in port
 * 0x61) unless option nmi=fatal; a machine check that the processor calls uncorrected stops the
 * machine with its banks printed.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/domain.h>
#include <hospes/lib.h>
#include <hospes/param.h>
#include <arch/cpufeature.h>
#include <arch/io.h>
#include <arch/msr.h>
#include <arch/smp.h>
#include <arch/traps.h>
#include "dump.h"

#define PORT_REASON    0x61
#define REASON_SERR    0x80
#define REASON_IOCHK   0x40
#define MSR_MCG_CAP    0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MC_STATUS  0x401u
#define MC_STATUS_VAL  BIT(63)
#define MC_STATUS_UC   BIT(61)
#define MC_STATUS_PCC  BIT(57)

static char opt_nmi[8] = "dom0";
string_param(nmi, "nmi", opt_nmi, "unknown NMIs: fatal, dom0 or ignore");

static bool stopping;

/* For panic and reboot: CPUs with interrupts off are stopped this way. */
void nmi_stop_cpus(void)
{
    stopping = true;
}

void do_nmi(struct cpu_user_regs *regs)
{
    uint8_t reason;

    if (stopping) {
        cpumask_clear(smp_processor_id(), &cpu_online_map);
        for (;;) {
            __asm__ volatile("hlt");
        }
    }
    reason = smp_processor_id() == 0 ? inb(PORT_REASON) : 0;
    if (strcmp(opt_nmi, "fatal") == 0) {
        console_force_unlock();
        show_execution_state(regs);
        panic("NMI, reason %#x%s%s", reason, reason & REASON_SERR ? " (PCI system error)" : "",
              reason & REASON_IOCHK ? " (I/O check)" : "");
    }
}

void do_machine_check(struct cpu_user_regs *regs)
{
    uint64_t cap = rdmsr(MSR_MCG_CAP), status;
    bool fatal = false;

    console_force_unlock();
    printk(LOG_ERR "Machine check on CPU %u, MCG_STATUS %#lx\n", smp_processor_id(),
           (unsigned long)rdmsr(MSR_MCG_STATUS));
    for (uint32_t bank = 0; bank < (cap & 0xff); bank++) {
        if (rdmsr_safe(MSR_MC_STATUS + 4 * bank, &status) != 0 || !(status & MC_STATUS_VAL)) {
            continue;
        }
        printk(LOG_ERR "  bank %u: status %016lx\n", bank, (unsigned long)status);
        fatal |= (status & (MC_STATUS_UC | MC_STATUS_PCC)) != 0;
        (void)!wrmsr_safe(MSR_MC_STATUS + 4 * bank, 0);
    }
    if (fatal) {
        show_execution_state(regs);
        panic("Uncorrected machine check");
    }
    wrmsr(MSR_MCG_STATUS, 0);
}
