/*
 * Each CPU's one-shot timer: the local APIC's, by TSC deadline where the processor has that, else
 * by counting down.
 */
#include <hospes/lib.h>
#include <hospes/softirq.h>
#include <arch/apic.h>
#include <arch/cpufeature.h>
#include <arch/irq.h>
#include <arch/msr.h>
#include "time_internal.h"

#define DIVIDE_BY_1 0xbu

static uint64_t lapic_hz;

static bool use_deadline(void)
{
    return cpu_has(X86_TSC_DEADLINE);
}

static uint64_t __init measure_lapic(void)
{
    uint64_t tsc, elapsed;
    uint32_t count;

    apic_write(APIC_TIMER_ICT, ~0u);
    tsc = rdtsc_ordered();
    udelay(10000);
    count = apic_read(APIC_TIMER_CCT);
    elapsed = rdtsc_ordered() - tsc;
    return mul_div(~0u - count, tsc_khz() * 1000, elapsed);
}

void __init lapic_timer_calibrate(void)
{
    if (use_deadline()) {
        printk("Timer: local APIC by TSC deadline\n");
        return;
    }
    apic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | LOCAL_TIMER_VECTOR);
    lapic_hz = measure_until_agreed(measure_lapic, "local APIC's timer");
    apic_write(APIC_TIMER_ICT, 0);
    printk("Timer: local APIC at %lu.%03lu MHz\n", (unsigned long)(lapic_hz / 1000000),
           (unsigned long)(lapic_hz / 1000 % 1000));
}

void lapic_timer_init_cpu(void)
{
    if (use_deadline()) {
        apic_write(APIC_LVT_TIMER, LOCAL_TIMER_VECTOR | APIC_TIMER_DEADLINE);
        __asm__ volatile("mfence" ::: "memory"); /* SDM: before the MSR in xAPIC mode */
        wrmsr(MSR_TSC_DEADLINE, 0);
        return;
    }
    apic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, LOCAL_TIMER_VECTOR);
    apic_write(APIC_TIMER_ICT, 0);
}

bool arch_reprogram_timer(s_time_t deadline)
{
    s_time_t now, delta;
    uint64_t count;

    if (deadline == 0 || deadline == STIME_MAX) {
        if (use_deadline()) {
            wrmsr(MSR_TSC_DEADLINE, 0);
        } else {
            apic_write(APIC_TIMER_ICT, 0);
        }
        return true;
    }
    now = NOW();
    delta = deadline - now;
    if (delta <= 0) {
        return false;
    }
    if (use_deadline()) {
        wrmsr(MSR_TSC_DEADLINE, stime_to_tsc(now + min(delta, SECONDS(1000))));
        return true;
    }
    /* A long way off: wake up on the way; the timer code sets the rest then. */
    count = mul_div((uint64_t)min(delta, SECONDS(1)), lapic_hz, 1000000000u);
    apic_write(APIC_TIMER_ICT, count == 0 ? 1 : count > 0xffffffffu ? ~0u : (uint32_t)count);
    return true;
}

void timer_interrupt(void)
{
    raise_softirq(TIMER_SOFTIRQ);
}
