/* fake: a thread plays a CPU; its interrupt flag is a variable that nobody but checks looks at. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>

extern __thread bool fake_irqs_on;
void cpu_relax(void); /* lets another thread run */

static inline void block_speculation(void)
{
}
static inline void local_irq_disable(void)
{
    fake_irqs_on = false;
}
static inline void local_irq_enable(void)
{
    fake_irqs_on = true;
}
static inline unsigned long local_irq_save(void)
{
    unsigned long f = fake_irqs_on;

    fake_irqs_on = false;
    return f;
}
static inline void local_irq_restore(unsigned long f)
{
    fake_irqs_on = f != 0;
}
static inline bool local_irq_is_enabled(void)
{
    return fake_irqs_on;
}
#define smp_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#endif
