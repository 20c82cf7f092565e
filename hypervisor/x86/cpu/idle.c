/* What an idle CPU does; and the maps of CPUs. */
#include <hospes/arch.h>
#include <hospes/memory.h>
#include <hospes/softirq.h>
#include <arch/cpufeature.h>

cpumask_t cpu_possible_map, cpu_online_map;

/*
 * sti and hlt are one step: an interrupt between the test and the halt would be missed otherwise.
 * An IPI that raises a softirq wakes the CPU.
 */
void arch_idle(void)
{
    local_irq_disable();
    if (softirq_is_pending(smp_processor_id())) {
        local_irq_enable();
        return;
    }
    if (scrub_free_pages()) {
        local_irq_enable();
        return;
    }
    __asm__ volatile("sti; hlt" ::: "memory");
}
