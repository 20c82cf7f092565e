/*
 * The local APIC. Enabled in x2APIC mode where the processor has it (or the firmware left it on),
 * else in xAPIC mode through its page. Destinations are physical.
 */
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <arch/acpi.h>
#include <arch/apic.h>
#include <hospes/percpu.h>
#include <arch/cpufeature.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/msr.h>
#include <arch/smp.h>

bool x2apic_enabled __ro_after_init;
uint32_t cpu_to_apic_id[NR_CPUS];
static volatile uint8_t *lapic;

uint32_t apic_read(unsigned int reg)
{
    return x2apic_enabled ? (uint32_t)rdmsr(MSR_X2APIC_BASE + (reg >> 4))
                          : mmio_read32(lapic + reg);
}

void apic_write(unsigned int reg, uint32_t v)
{
    if (x2apic_enabled) {
        wrmsr(MSR_X2APIC_BASE + (reg >> 4), v);
    } else {
        mmio_write32(lapic + reg, v);
    }
}

void apic_icr_write(uint32_t apic_id, uint32_t command)
{
    unsigned long flags;

    if (x2apic_enabled) {
        /* The MSR write does not wait for earlier stores: what the other CPU is told of must be
         * visible first. SDM 3, "x2APIC ... memory ordering". */
        __asm__ volatile("mfence; lfence" ::: "memory");
        wrmsr(MSR_X2APIC_BASE + (APIC_ICR >> 4), ((uint64_t)apic_id << 32) | command);
        return;
    }
    flags = local_irq_save();
    while (mmio_read32(lapic + APIC_ICR) & APIC_ICR_BUSY) {
        cpu_relax();
    }
    mmio_write32(lapic + APIC_ICR2, apic_id << 24);
    mmio_write32(lapic + APIC_ICR, command);
    local_irq_restore(flags);
}

static uint32_t apic_current_id(void)
{
    uint32_t id = apic_read(APIC_ID);

    return x2apic_enabled ? id : id >> 24;
}

static void clear_pending(void)
{
    /* What the firmware left in service would block everything of lower priority. */
    for (unsigned int round = 0; round < 256; round++) {
        bool any = false;

        for (unsigned int i = 0; i < 8; i++) {
            if (apic_read(APIC_ISR + i * 0x10) != 0) {
                any = true;
            }
        }
        if (!any) {
            return;
        }
        apic_eoi();
    }
}

void apic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    base |= APIC_BASE_ENABLE;
    if (x2apic_enabled) {
        wrmsr(MSR_APIC_BASE, base); /* from disabled one must go through xAPIC mode */
        base |= APIC_BASE_X2APIC;
    }
    wrmsr(MSR_APIC_BASE, base);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | LOCAL_TIMER_VECTOR);
    apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED | APIC_DM_EXTINT);
    apic_write(APIC_LVT_LINT1,
               smp_processor_id() == 0 ? APIC_DM_NMI : APIC_LVT_MASKED | APIC_DM_NMI);
    apic_write(APIC_LVT_PERF, APIC_LVT_MASKED | APIC_DM_NMI);
    apic_write(APIC_SPIV, BIT(8) | SPURIOUS_VECTOR);
    clear_pending();
    apic_write(APIC_ESR, 0);
    apic_write(APIC_LVT_ERROR, ERROR_VECTOR);
    cpu_to_apic_id[smp_processor_id()] = apic_current_id();
}

void __init apic_init(void)
{
    bool was_x2apic = rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;

    lapic = ioremap(paddr(acpi.lapic_address), PAGE_SIZE);
    if (!lapic) {
        panic("The local APIC cannot be mapped");
    }
    x2apic_enabled = cpu_has(X86_X2APIC) || was_x2apic;
    apic_init_cpu();
    /* The PICs are masked for good, on vectors that nobody else uses. */
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    printk("Interrupts: %s mode, boot CPU has APIC ID %u\n", x2apic_enabled ? "x2APIC" : "xAPIC",
           cpu_to_apic_id[0]);
}

uint32_t cpu_apicid(unsigned int cpu)
{
    return cpu_to_apic_id[cpu];
}
