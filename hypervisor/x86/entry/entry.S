/*
 * Every way into the hypervisor from a running system, and the ways out. The hypervisor uses no
 * segment base: a CPU finds itself by its stack pointer (arch/percpu.h). C does the work; what is
 * here builds the frame (the ABI's struct cpu_user_regs up to ss), and takes it down again.
 *
 * Read first: arch/traps.h, arch/percpu.h. Then x86/pv/traps.c and x86/pv/exit.c. Where guests run without
 * the hypervisor in their page tables, xpti.S comes before and after.
 */
#include <arch/layout.h>
#include <arch/alternative.h>
#include <arch/extable.h>
#include <arch/spec_ctrl.h>
#include "offsets.h"
#include "macros.h"

        .section .text.entry, "ax", @progbits

/* The way out where guests may have page tables without the hypervisor is xpti.S's. */
.macro EXIT_TO_GUEST
        JUMP_UNLESS ALT_XPTI, exit_to_guest
        jmp     xpti_exit_to_guest
.endm

/* Against speculation steered by the guest; leaves rax, rcx and rdx with nothing of its. */
        .balign 16
        .globl  spec_ctrl_entry
spec_ctrl_entry:
        testb   $SPEC_IBRS_ENTRY, spec_ctrl_flags(%rip)
        jz      1f
        mov     $MSR_SPEC_CTRL_, %ecx
        mov     spec_ctrl_value(%rip), %eax
        xor     %edx, %edx
        wrmsr
1:      testb   $SPEC_RSB_ENTRY, spec_ctrl_flags(%rip)
        jz      1f
        mov     $16, %ecx               /* 32 calls that never return fill it */
        mov     %rsp, %rax
2:      call    4f
3:      pause
        lfence
        jmp     3b
4:      call    6f
5:      pause
        lfence
        jmp     5b
6:      dec     %ecx
        jnz     2b
        mov     %rax, %rsp
1:      ret

/* ---- vectors ---- */

        EXCEPTION 0
        EXCEPTION 1, common=ist_common
        EXCEPTION 2, common=ist_common
        EXCEPTION 3
        EXCEPTION 4
        EXCEPTION 5
        EXCEPTION 6
        EXCEPTION 7
        EXCEPTION 8, error_code=1, common=double_fault
        EXCEPTION 10, error_code=1
        EXCEPTION 11, error_code=1
        EXCEPTION 12, error_code=1
        EXCEPTION 13, error_code=1
        EXCEPTION 14, error_code=1
        EXCEPTION 16
        EXCEPTION 17, error_code=1
        EXCEPTION 18, common=ist_common
        EXCEPTION 19
        EXCEPTION 20
        EXCEPTION 21, error_code=1
        EXCEPTION 0x80

        .globl  entry_int80
        .set    entry_int80, entry_exception_0x80

        .balign 16
        .globl  irq_entry_stubs
irq_entry_stubs:
        IRQ_STUBS irq_common

        .balign 16
        .globl  irq_common
irq_common:
        SAVE_ALL
        CALL_C  do_irq
        jmp     return_from_trap

        .balign 16
        .globl  exception_common
exception_common:
        SAVE_ALL
        testb   $3, UREGS_cs(%rsp)
        jz      1f
        CALL_C  do_guest_exception
        EXIT_TO_GUEST
1:      CALL_C  do_exception
        jmp     return_to_hypervisor

return_from_trap:
        testb   $3, UREGS_cs(%rsp)
        jnz     pv_return_to_guest
        .globl  return_to_hypervisor
return_to_hypervisor:
        RESTORE_ALL
        add     $8, %rsp
        iretq

double_fault:
        SAVE_ALL
        CALL_C  do_double_fault
        ud2

/*
 * #DB, NMI, #MC: on a stack of their own, as they may come at any instruction, also where the stack
 * pointer is still the guest's. From a guest the frame is moved to the primary stack, so that the
 * IST stack is free again and the way out is the common one.
 */
        .balign 16
ist_common:
        SAVE_ALL
        testb   $3, UREGS_cs(%rsp)
        jz      1f
        .globl  ist_from_guest
ist_from_guest:
        mov     %rsp, %rdi
        or      $(STACK_SIZE_ - 1), %rdi
        sub     $(CPUINFO_sizeof - 1), %rdi
        mov     %rdi, %rdx
        mov     %rsp, %rsi
        mov     $(UREGS_kernel_sizeof / 8), %ecx
        rep movsq
        mov     %rdx, %rsp
1:      CALL_C  do_ist_exception
        jmp     return_from_trap

/* void unblock_nmi(void): IRETQ to the caller. */
        .balign 16
        .globl  unblock_nmi
unblock_nmi:
        mov     %rsp, %rax
        mov     %ss, %ecx
        push    %rcx
        push    %rax
        pushfq
        mov     %cs, %ecx
        push    %rcx
        lea     1f(%rip), %rcx
        push    %rcx
        iretq
1:      ret

/* ---- SYSCALL ---- */

/* Each CPU's own code, which knows where its stack is: nothing else tells it at this point. */
.macro SYSCALL_STUBS name, common
        .balign 64
        .globl  \name
\name:
        cpu = 0
        .rept   NR_CPUS_
        .balign SYSCALL_STUB_SIZE_
        mov     %rsp, syscall_stack + cpu * 64(%rip)
        mov     syscall_stack + cpu * 64 + 8(%rip), %rsp
        push    $SEL_RING3_SS
        push    syscall_stack + cpu * 64(%rip)
        jmp     \common
        cpu = cpu + 1
        .endr
        .org    \name + NR_CPUS_ * SYSCALL_STUB_SIZE_ /* fails if a stub is too long */
.endm
        SYSCALL_STUBS syscall_entry_stubs, syscall_common
        SYSCALL_STUBS syscall32_entry_stubs, syscall32_common

        .balign 16
        .globl  syscall_common
syscall_common:
        push    %r11
        push    $SEL_RING3_CS64
        push    %rcx
        push    syscall_vector(%rip)
        SAVE_ALL
        CALL_C  pv_syscall
        EXIT_TO_GUEST

        .balign 16
        .globl  syscall32_common
syscall32_common:
        push    %r11
        push    $SEL_RING3_CS32
        push    %rcx
        push    syscall_vector(%rip)
        SAVE_ALL
        CALL_C  pv_syscall32
        EXIT_TO_GUEST

/* SYSENTER saves nothing: the guest's kernel is told no rip or rsp. It leaves TF and NT as they were;
 * TF ends in #DB at the first instruction here (x86/pv/debugreg.c). */
        .balign 16
        .globl  sysenter_entry
sysenter_entry:
        push    $SEL_RING3_SS
        push    $0
        pushfq
        push    $2
        popfq
        push    $SEL_RING3_CS32
        push    $0
        push    syscall_vector(%rip)
        SAVE_ALL
        CALL_C  pv_sysenter
        EXIT_TO_GUEST

/* ---- out ---- */

        .balign 16
        .globl  pv_return_to_guest
pv_return_to_guest:
        CALL_C  pv_exit_work
        EXIT_TO_GUEST
exit_to_guest:                          /* interrupts are off */
        CLEAR_DIVIDER
        JUMP_UNLESS_SYSRET 2f
        RESTORE_ALL                     /* rip is canonical, cs the flat 64-bit one */
        mov     8(%rsp), %rcx
        mov     24(%rsp), %r11
        mov     32(%rsp), %rsp
        sysretq

2:      RESTORE_ALL
        add     $8, %rsp
        .globl  iret_to_guest
iret_to_guest:
        iretq

        .section .rodata.entry, "a", @progbits
        .balign 8
syscall_vector:                         /* no error code, and the vector above it */
        .long   0, TRAP_SYSCALL_
        .globl  exception_entry
exception_entry:
        EXCEPTION_TABLE

        .section .note.GNU-stack, "", @progbits
