/*
 * Interrupt descriptors, vectors, and the flow of an interrupt.
 *
 * Every interrupt goes to one vector on one CPU. Edge-triggered ones and messages are acknowledged
 * at once; level-triggered ones are masked and acknowledged, and unmasked when every guest that was
 * told of it has said EOI. Events are sent to guests after desc->lock is released.
 */
#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/softirq.h>
#include <arch/apic.h>
#include <arch/desc.h>
#include <arch/smp.h>
#include <arch/time.h>
#include "irq_internal.h"

#define MAX_IRQS 1024u

struct irq_desc *irq_descs;
unsigned int nr_irqs, nr_gsis;

static spinlock_t vector_lock = SPINLOCK_INIT(RANK_IOAPIC);
/* irq + 1 behind each vector of this CPU; 0: none. */
static DEFINE_PER_CPU(uint16_t[256], vector_irq);
static uint64_t spurious;

/* ---- vectors ---- */

static bool vector_usable(unsigned int v)
{
    return v != LEGACY_SYSCALL_VECTOR && v != HYPERCALL_VECTOR;
}

static int claim_vector(unsigned int cpu, unsigned int irq)
{
    static unsigned int next = FIRST_DYNAMIC_VECTOR;

    for (unsigned int i = FIRST_DYNAMIC_VECTOR; i <= LAST_DYNAMIC_VECTOR; i++) {
        unsigned int v = next++;

        if (next > LAST_DYNAMIC_VECTOR) {
            next = FIRST_DYNAMIC_VECTOR;
        }
        if (vector_usable(v) && per_cpu(vector_irq, cpu)[v] == 0) {
            per_cpu(vector_irq, cpu)[v] = (uint16_t)(irq + 1);
            return (int)v;
        }
    }
    return -ENOSPC;
}

static void release_vector(struct irq_desc *desc, unsigned int cpu, uint8_t vector)
{
    if (vector != 0 && per_cpu(vector_irq, cpu)[vector] == desc->irq + 1) {
        per_cpu(vector_irq, cpu)[vector] = 0;
    }
}

int irq_set_cpu(struct irq_desc *desc, unsigned int cpu)
{
    int v = -ENOSPC;

    if (!cpumask_test(cpu, cpu_online_map)) {
        cpu = cpumask_first(cpu_online_map);
    }
    if (desc->vector != 0 && desc->cpu == cpu) {
        return 0;
    }
    spin_lock(&vector_lock);
    release_vector(desc, desc->old_cpu, desc->old_vector);
    desc->old_vector = 0;
    for (unsigned int n = cpumask_weight(cpu_online_map); n > 0 && v < 0; n--) {
        v = claim_vector(cpu, desc->irq);
        if (v < 0) {
            cpu = cpumask_cycle(cpu, cpu_online_map);
        }
    }
    if (v >= 0) {
        desc->old_cpu = desc->cpu;
        desc->old_vector = desc->vector;
        desc->cpu = cpu;
        desc->vector = (uint8_t)v;
    }
    spin_unlock(&vector_lock);
    if (v < 0) {
        return v;
    }
    if (desc->enabled) {
        desc->ctl->mask(desc);
    }
    desc->ctl->set_target(desc);
    if (desc->enabled && !desc->guest_masked) {
        desc->ctl->unmask(desc);
    }
    return 0;
}

int irq_startup(struct irq_desc *desc, unsigned int cpu)
{
    int rc = irq_set_cpu(desc, cpu);

    if (rc != 0) {
        return rc;
    }
    desc->enabled = true;
    desc->guest_masked = false;
    desc->in_flight = 0;
    desc->ctl->set_target(desc);
    desc->ctl->unmask(desc);
    return 0;
}

void irq_shutdown(struct irq_desc *desc)
{
    if (desc->enabled) {
        desc->ctl->mask(desc);
        desc->enabled = false;
    }
    spin_lock(&vector_lock);
    release_vector(desc, desc->cpu, desc->vector);
    release_vector(desc, desc->old_cpu, desc->old_vector);
    spin_unlock(&vector_lock);
    desc->vector = desc->old_vector = 0;
}

/* ---- numbers of messages ---- */

int irq_create(void)
{
    for (unsigned int i = nr_gsis; i < nr_irqs; i++) {
        struct irq_desc *desc = irq_to_desc(i);
        unsigned long flags;
        bool mine;

        spin_lock_irqsave(&desc->lock, flags);
        mine = desc->name == NULL;
        if (mine) {
            desc->name = "message";
        }
        spin_unlock_irqrestore(&desc->lock, flags);
        if (mine) {
            return (int)i;
        }
    }
    return -ENOSPC;
}

void irq_destroy(unsigned int irq)
{
    struct irq_desc *desc = irq_to_desc(irq);
    unsigned long flags;

    spin_lock_irqsave(&desc->lock, flags);
    irq_shutdown(desc);
    desc->ctl = NULL;
    desc->msi = NULL;
    desc->name = NULL;
    spin_unlock_irqrestore(&desc->lock, flags);
}

/* ---- the flow ---- */

/* Notes who is to be told; true when the source must stay masked until they have said EOI. */
static bool mark_guests(struct irq_desc *desc)
{
    if (!desc->ctl->level) {
        return false;
    }
    for (unsigned int i = 0; i < desc->nr_guests; i++) {
        if (!desc->guest[i].needs_eoi) {
            desc->guest[i].needs_eoi = true;
            desc->in_flight++;
        }
    }
    desc->guest_masked = desc->in_flight != 0;
    return desc->guest_masked;
}

static void handle_irq(struct irq_desc *desc)
{
    struct irq_guest guests[MAX_IRQ_GUESTS];
    unsigned int n;
    void (*fn)(void *);
    void *data;

    spin_lock(&desc->lock);
    if (!desc->ctl || !desc->enabled) {
        spin_unlock(&desc->lock);
        apic_eoi();
        return;
    }
    desc->count++;
    if (desc->ctl->level) {
        desc->ctl->mask(desc);
    }
    apic_eoi();
    n = desc->nr_guests;
    fn = desc->fn;
    data = desc->data;
    if (n != 0) {
        mark_guests(desc);
        memcpy(guests, desc->guest, n * sizeof(guests[0]));
    }
    spin_unlock(&desc->lock);

    for (unsigned int i = 0; i < n; i++) {
        send_guest_pirq(guests[i].d, guests[i].pirq);
    }
    if (fn) {
        fn(data);
    }
    if (n == 0) {
        spin_lock(&desc->lock);
        if (desc->enabled && desc->ctl->level) {
            desc->ctl->unmask(desc);
        }
        spin_unlock(&desc->lock);
    }
}

static void spurious_interrupt(unsigned int vector)
{
    /* In service: the APIC waits for an EOI. Else nothing was delivered. */
    if (apic_read(APIC_ISR + (vector / 32) * 0x10) & (1u << (vector % 32))) {
        apic_eoi();
    }
    spurious++;
}

static void error_interrupt(void)
{
    uint32_t esr;

    apic_write(APIC_ESR, 0);
    esr = apic_read(APIC_ESR);
    apic_eoi();
    printk(LOG_G_WARNING "APIC error on CPU %u: %#x\n", smp_processor_id(), esr);
}

static void hypervisor_vector(unsigned int vector)
{
    switch (vector) {
    case LOCAL_TIMER_VECTOR:
        apic_eoi();
        timer_interrupt();
        break;
    case EVENT_CHECK_VECTOR:
        apic_eoi(); /* the way out looks at what is pending */
        break;
    case CALL_FUNCTION_VECTOR:
        apic_eoi();
        call_function_interrupt();
        break;
    case TLB_FLUSH_VECTOR:
        apic_eoi();
        tlb_flush_interrupt();
        break;
    case ERROR_VECTOR:
        error_interrupt();
        break;
    default:
        spurious_interrupt(vector);
    }
}

void do_irq(struct cpu_user_regs *regs)
{
    unsigned int vector = regs->entry_vector & 0xff;
    unsigned int irq;

    if (vector >= FIRST_HYPERVISOR_VECTOR) {
        hypervisor_vector(vector);
    } else {
        irq = this_cpu(vector_irq)[vector];
        if (irq != 0) {
            handle_irq(irq_to_desc(irq - 1));
        } else {
            spurious_interrupt(vector);
        }
    }
}

/* ---- the hypervisor's own ---- */

int irq_request(unsigned int irq, const char *name, void (*fn)(void *), void *data)
{
    struct irq_desc *desc;
    unsigned long flags;
    int rc = -EBUSY;

    if (irq >= nr_irqs) {
        return -EINVAL;
    }
    desc = irq_to_desc(irq);
    spin_lock_irqsave(&desc->lock, flags);
    if (!desc->ctl) {
        rc = -EINVAL;
    } else if (!desc->fn && desc->nr_guests == 0) {
        desc->fn = fn;
        desc->data = data;
        desc->name = name;
        rc = irq_startup(desc, 0);
        if (rc != 0) {
            desc->fn = NULL;
        }
    }
    spin_unlock_irqrestore(&desc->lock, flags);
    return rc;
}

static void dump_irq(struct irq_desc *desc)
{
    unsigned long flags;

    spin_lock_irqsave(&desc->lock, flags);
    if (desc->ctl && (desc->enabled || desc->nr_guests || desc->fn)) {
        printk("  IRQ %4u vector %02x CPU %2u %-12s count %lu%s%s", desc->irq, desc->vector,
               desc->cpu, desc->ctl->name, (unsigned long)desc->count, desc->enabled ? "" : " off",
               desc->guest_masked ? " waits for EOI" : "");
        if (desc->fn) {
            printk(" %s", desc->name);
        }
        for (unsigned int i = 0; i < desc->nr_guests; i++) {
            printk(" d%u:%u%s", desc->guest[i].d->domain_id, desc->guest[i].pirq,
                   desc->guest[i].needs_eoi ? "P" : "");
        }
        printk("\n");
    }
    spin_unlock_irqrestore(&desc->lock, flags);
}

static void dump_irqs(char key)
{
    printk("Interrupts (%lu spurious):\n", (unsigned long)spurious);
    for (unsigned int i = 0; i < nr_irqs; i++) {
        dump_irq(irq_to_desc(i));
        if (i % 32 == 0) {
            process_pending_softirqs();
        }
    }
}

void __init irq_init(void)
{
    nr_gsis = ioapic_count_gsis();
    nr_irqs = min(nr_gsis + 200u * NR_CPUS, MAX_IRQS);
    irq_descs = xzalloc_array(struct irq_desc, nr_irqs);
    if (!irq_descs) {
        panic("No memory for %u interrupt descriptors", nr_irqs);
    }
    for (unsigned int i = 0; i < nr_irqs; i++) {
        irq_descs[i].irq = i;
        spin_lock_init(&irq_descs[i].lock, RANK_IRQ_DESC);
    }
    keyhandler_register('i', dump_irqs, "interrupts");
}
