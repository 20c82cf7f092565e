/* What a CPU needs besides its IDT to be entered from a guest: SYSCALL and SYSENTER registers, the
 * gates that guests may use by INT n. */
#include <hospes/lib.h>
#include <arch/cpu.h>
#include <arch/cpufeature.h>
#include <arch/desc.h>
#include <arch/irq.h>
#include <arch/layout.h>
#include <arch/msr.h>
#include <arch/traps.h>
#include <arch/xpti.h>

unsigned long syscall_stack[NR_CPUS][8] __aligned(64);

/* SYSRET takes CS from STAR's upper half: itself for 32 bits, 16 further for 64, and SS 8 further.
 */
_Static_assert(SEL_RING3_CS64 == SEL_RING3_CS32 + 16, "STAR");
_Static_assert(SEL_RING3_SS == SEL_RING3_CS32 + 8, "STAR");

void cpu_init_syscall(unsigned int cpu)
{
    uint64_t stub = (uint64_t)cpu * SYSCALL_STUB_SIZE;
    struct cpu_info *info = (struct cpu_info *)(cpu_stack[cpu] + STACK_SIZE) - 1;

    /* SYSCALL pushes what an interrupt would. */
    syscall_stack[cpu][1] = (unsigned long)&info->guest_cpu_user_regs.es;

    wrmsr(MSR_STAR, ((uint64_t)SEL_RING3_CS32 << 48) | ((uint64_t)SEL_HYPERVISOR_CS << 32));
    if (xpti_on) {
        stub = (uint64_t)cpu * XPTI_SYSCALL_STUB_SIZE;
        wrmsr(MSR_LSTAR, (uint64_t)xpti_syscall_stubs + stub);
        wrmsr(MSR_CSTAR, (uint64_t)xpti_syscall32_stubs + stub);
    } else {
        wrmsr(MSR_LSTAR, (uint64_t)syscall_entry_stubs + stub);
        wrmsr(MSR_CSTAR, (uint64_t)syscall32_entry_stubs + stub);
    }
    wrmsr(MSR_SFMASK, X86_EFLAGS_VM | X86_EFLAGS_RF | X86_EFLAGS_NT | X86_EFLAGS_DF |
                          X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_IOPL);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    if (cpu_has(X86_SEP) && boot_cpu.vendor == VENDOR_INTEL) {
        wrmsr(MSR_SYSENTER_CS, SEL_HYPERVISOR_CS);
        wrmsr(MSR_SYSENTER_ESP, xpti_on ? (uint64_t)(xpti_area(cpu) + 1) : syscall_stack[cpu][1]);
        wrmsr(MSR_SYSENTER_EIP, (uint64_t)(xpti_on ? xpti_sysenter_entry : sysenter_entry));
    }
}

/*
 * Every gate has DPL 0, so that INT n of a guest ends in #GP with the vector in the error code,
 * where the guest's own permission is looked up (x86/pv/traps.c) - but for INT3 and INTO, which are
 * traps by themselves, and INT 0x80, which is worth its own way.
 */
void trap_init(void)
{
    void (*const *entry)(void) = xpti_on ? xpti_exception_entry : exception_entry;

    set_intr_gate(X86_EXC_BP, (const void *)entry[X86_EXC_BP], 0, 3);
    set_intr_gate(X86_EXC_OF, (const void *)entry[X86_EXC_OF], 0, 3);
    set_intr_gate(LEGACY_SYSCALL_VECTOR, (const void *)(xpti_on ? xpti_entry_int80 : entry_int80),
                  0, 3);
}
