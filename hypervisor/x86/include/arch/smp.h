/* The machine's CPUs: bringing them up, interrupts between them. x86/cpu/smp.c. */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include <hospes/cpumask.h>

void smp_reserve_trampoline(void); /* before the heap gets memory */
uint64_t smp_trampoline(void);     /* its address; 0: there is none */
/* Starts every enabled CPU of the MADT, up to maxcpus=. */
void smp_boot(void);
/* Stops all other CPUs for good, even when they have interrupts off; for panic and reboot. */
void smp_stop_others(void);
uint32_t cpu_apicid(unsigned int cpu);
void call_function_interrupt(void);
void nmi_stop_cpus(void); /* the next NMI of a CPU is its end */
/* Empties the stack and idles for ever; the calling CPU runs its idle vcpu. */
void startup_cpu_idle_loop(void) __attribute__((noreturn));

#endif
