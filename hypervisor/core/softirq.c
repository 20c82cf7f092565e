/* Softirqs: a bit per kind and CPU, and a table of handlers. See <hospes/softirq.h>. */
#include <hospes/arch.h>
#include <hospes/lib.h>
#include <hospes/softirq.h>

DEFINE_PER_CPU(unsigned long, softirq_pending);
static void (*handlers[NR_SOFTIRQS])(void) __read_mostly;

void softirq_open(enum softirq nr, void (*handler)(void))
{
    BUG_ON(nr >= NR_SOFTIRQS);
    handlers[nr] = handler;
}

/* SCHEDULE_SOFTIRQ comes last: its handler may leave this vcpu's stack for good. */
static void run_pending(unsigned long ignore)
{
    unsigned long *pending = &this_cpu(softirq_pending), todo;
    unsigned int nr;

    while ((todo = READ_ONCE(*pending) & ~ignore) != 0) {
        if (todo & ~BIT(SCHEDULE_SOFTIRQ)) {
            todo &= ~BIT(SCHEDULE_SOFTIRQ);
        }
        nr = lowest_bit(todo);
        clear_bit(nr, pending);
        if (handlers[nr] != NULL) {
            handlers[nr]();
        }
    }
}

void do_softirq(void)
{
    run_pending(0);
}

/* RCU_SOFTIRQ's handler says that this CPU holds no references: not so in the middle of a call. */
void process_pending_softirqs(void)
{
    run_pending(BIT(SCHEDULE_SOFTIRQ) | BIT(RCU_SOFTIRQ));
}

void raise_softirq(enum softirq nr)
{
    set_bit(nr, &this_cpu(softirq_pending));
}

void cpu_raise_softirq(unsigned int cpu, enum softirq nr)
{
    if (!test_and_set_bit(nr, &per_cpu(softirq_pending, cpu)) && cpu != smp_processor_id()) {
        arch_send_softirq(cpumask_of(cpu));
    }
}

void cpumask_raise_softirq(cpumask_t mask, enum softirq nr)
{
    cpumask_t send = CPUMASK_NONE;
    unsigned int cpu;

    for_each_cpu_in(cpu, mask)
    {
        if (!test_and_set_bit(nr, &per_cpu(softirq_pending, cpu)) && cpu != smp_processor_id()) {
            send.bits |= BIT(cpu);
        }
    }
    if (!cpumask_empty(send)) {
        arch_send_softirq(send);
    }
}
