/*
 * Entry into the hypervisor and what it calls. The vectors' entry points are in x86/entry/entry.S,
 * dispatch of exceptions in x86/pv/traps.c.
 */
#ifndef ARCH_TRAPS_H
#define ARCH_TRAPS_H

#include <hospes/cpumask.h>
#include <hospes/types.h>

#define X86_EXC_DE  0u
#define X86_EXC_DB  1u
#define X86_EXC_NMI 2u
#define X86_EXC_BP  3u
#define X86_EXC_OF  4u
#define X86_EXC_BR  5u
#define X86_EXC_UD  6u
#define X86_EXC_NM  7u
#define X86_EXC_DF  8u
#define X86_EXC_TS  10u
#define X86_EXC_NP  11u
#define X86_EXC_SS  12u
#define X86_EXC_GP  13u
#define X86_EXC_PF  14u
#define X86_EXC_MF  16u
#define X86_EXC_AC  17u
#define X86_EXC_MC  18u
#define X86_EXC_XM  19u
#define X86_EXC_CP  21u
/* Exceptions that push an error code: 8, 10..14, 17, 21, 29, 30. */
#define X86_EXC_HAVE_ERROR_CODE 0x60227d00u

#define PF_PRESENT  0x01u
#define PF_WRITE    0x02u
#define PF_USER     0x04u
#define PF_RESERVED 0x08u
#define PF_FETCH    0x10u

/* In regs->entry_vector: entered by SYSCALL or SYSENTER; rcx and r11 hold nothing of the guest's,
 * so that SYSRET may return. */
#define TRAP_SYSCALL 0x100u

/* ---- entry points (the IDT's: <arch/desc.h>) ---- */

/* The vectors' gates are interrupt gates with DPL 0, but for #BP, #OF and 0x80 (trap_init). NMI,
 * #MC, #DF and #DB use their IST stacks. EFLAGS.AC is cleared on entry where SMAP is on. */
/* LSTAR and CSTAR of CPU n: stubs + n * SYSCALL_STUB_SIZE. */
#define SYSCALL_STUB_SIZE 32
extern char syscall_entry_stubs[], syscall32_entry_stubs[], sysenter_entry[];
/* What the SYSCALL stubs find by their CPU's number: [0] the guest's rsp, [1] where they push. */
extern unsigned long syscall_stack[NR_CPUS][8];
/* The vector's gate that guests use by INT 0x80. */
extern void entry_int80(void);
/* The IRETQ that enters guests; a fault of it is the guest's (x86/pv/iret.c). */
extern char iret_to_guest[];
/* Goes to the guest with the registers in guest_cpu_user_regs(), after softirqs and events. For
 * reset_stack_and_jump. */
void pv_return_to_guest(void) __noreturn;
/* Ends the blocking of NMIs that began with the NMI being handled. */
void unblock_nmi(void);

/* ---- called from the entry points ---- */
void do_nmi(struct cpu_user_regs *regs); /* x86/cpu; on the IST stack or the primary one */
void do_machine_check(struct cpu_user_regs *regs); /* x86/cpu; likewise */

static inline bool guest_mode_cs(unsigned int cs)
{
    return (cs & 3) == 3;
}
#define guest_mode(regs) guest_mode_cs((regs)->cs)

/* ---- delivering exceptions to the running PV guest (x86/pv/bounce.c) ---- */

/* The exception is delivered on the way out, unless another one comes first. rip must be as the
 * guest is to see it. */
void pv_inject_hw_exception(unsigned int vector, uint32_t error_code);
/* #PF with cr2 (also written to vcpu_info->arch.cr2). error_code as the CPU gave it; its U/S bit is
 * made to fit the guest's mode. */
void pv_inject_page_fault(uint32_t error_code, unsigned long cr2);

/* ---- guest kernel/user mode (x86/pv/mode.c) ---- */
/* Flips v->arch.kernel_mode of current, with page tables and GS base; false: no user table. */
bool pv_toggle_mode(struct vcpu *v);

#endif
