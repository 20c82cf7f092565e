/*
 * Interrupts of the machine: vectors, descriptors (one per interrupt line or message), and their
 * controllers. x86/irq/irq.c has the flow; ioapic.c and msi.c are controllers; pirq.c is what a
 * domain sees.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <hospes/cpumask.h>
#include <hospes/lock.h>

/* Vectors. 0x20..0xdf are given to devices; those above belong to the hypervisor. */
#define FIRST_DYNAMIC_VECTOR    0x20u
#define LAST_DYNAMIC_VECTOR     0xdfu
#define LEGACY_SYSCALL_VECTOR   0x80u
#define HYPERCALL_VECTOR        0x82u
#define SPURIOUS_VECTOR         0xffu
#define ERROR_VECTOR            0xfeu
#define TLB_FLUSH_VECTOR        0xfdu
#define EVENT_CHECK_VECTOR      0xfcu /* softirq_pending was set from another CPU, or kick */
#define CALL_FUNCTION_VECTOR    0xfbu
#define LOCAL_TIMER_VECTOR      0xfau
#define FIRST_HYPERVISOR_VECTOR 0xf0u

struct cpu_user_regs;
/* From the entry stubs, interrupts off, regs->entry_vector says which. */
void do_irq(struct cpu_user_regs *regs);

/* To the CPUs of mask; the sender itself only if it is in it. Any context. */
void send_ipi_mask(cpumask_t mask, uint8_t vector);
/* Handler of TLB_FLUSH_VECTOR, interrupts off; provided by x86/mm. */
void tlb_flush_interrupt(void);

void irq_init(void);    /* gates of all vectors */
void ioapic_init(void); /* after acpi_init: all lines masked, ISA lines routed */
/* A line that the hypervisor serves itself (serial port): fn(data) with interrupts off. -EINVAL,
 * -EBUSY. */
/* The same for any line or message. */
int irq_request(unsigned int irq, const char *name, void (*fn)(void *), void *data);
int irq_request_isa(unsigned int irq, const char *name, void (*fn)(void *), void *data);

#endif
