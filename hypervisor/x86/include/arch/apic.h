/* The local APIC, in xAPIC (memory) or x2APIC (MSR) mode. Intel SDM 3, "APIC". */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <hospes/cpumask.h>

#define APIC_ID        0x020u
#define APIC_VERSION   0x030u
#define APIC_TPR       0x080u
#define APIC_EOI       0x0b0u
#define APIC_LDR       0x0d0u
#define APIC_DFR       0x0e0u
#define APIC_SPIV      0x0f0u
#define APIC_ISR       0x100u
#define APIC_TMR       0x180u
#define APIC_IRR       0x200u
#define APIC_ESR       0x280u
#define APIC_LVT_CMCI  0x2f0u
#define APIC_ICR       0x300u
#define APIC_ICR2      0x310u
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_THERM 0x330u
#define APIC_LVT_PERF  0x340u
#define APIC_LVT_LINT0 0x350u
#define APIC_LVT_LINT1 0x360u
#define APIC_LVT_ERROR 0x370u
#define APIC_TIMER_ICT 0x380u
#define APIC_TIMER_CCT 0x390u
#define APIC_TIMER_DIV 0x3e0u

#define APIC_LVT_MASKED     BIT(16)
#define APIC_TIMER_DEADLINE (2u << 17)
#define APIC_DM_FIXED       (0u << 8)
#define APIC_DM_NMI         (4u << 8)
#define APIC_DM_INIT        (5u << 8)
#define APIC_DM_STARTUP     (6u << 8)
#define APIC_DM_EXTINT      (7u << 8)
#define APIC_ICR_BUSY       BIT(12)
#define APIC_ICR_ASSERT     BIT(14)
#define APIC_ICR_LEVEL      BIT(15)
#define APIC_ICR_SELF       (1u << 18)

extern bool x2apic_enabled;
extern uint32_t cpu_to_apic_id[NR_CPUS];

uint32_t apic_read(unsigned int reg);
void apic_write(unsigned int reg, uint32_t v);
/* Interrupt command to one APIC; waits until the previous one is accepted. */
void apic_icr_write(uint32_t apic_id, uint32_t command);
static inline void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}
void apic_init(void);     /* boot CPU */
void apic_init_cpu(void); /* the calling CPU's */

#endif
