/*
 * Entry and exit where guests run on page tables without the hypervisor (arch/xpti.h): the IDT and the
 * SYSCALL registers point here, and entry.S's ways out end here. This section, the IDT and the CPU's
 * own page (struct xpti_area) are all that is mapped in the guest's mode, besides what a guest may read
 * anyway.
 *
 * In: the CPU pushes on the area's stacks; the stub loads the CR3 with everything, moves the frame to the
 * stack where entry.S expects it and goes on there. Out: xpti_exit has left the frame in the area; the last
 * instructions run on it. Exceptions come in ring 0 from three places: the hypervisor (CR3 is right), IRETQ
 * here (the only instruction on the guest's CR3 that faults), and anywhere for those with IST stacks.
 */
#include <arch/layout.h>
#include <arch/alternative.h>
#include <arch/spec_ctrl.h>
#include "offsets.h"
#include "macros.h"

#define AREA_SIZE 4096
/* From the stack pointer when the area's stack, which ends with the area, has n bytes in use. */
#define FROM_TOP(field, n) (XPTI_##field - AREA_SIZE + (n))

        .section .text.xpti, "ax", @progbits

/* From a guest, with error code and vector pushed: 48 bytes in use. Clears what it leaves of rax. */
.macro TO_HYPERVISOR
        push    %rax
        cmpb    $0, FROM_TOP(isolated, 56)(%rsp)
        je      .Lnot_isolated\@
        mov     FROM_TOP(full_cr3, 56)(%rsp), %rax
        mov     %rax, %cr3
.Lnot_isolated\@:
        mov     FROM_TOP(stack, 56)(%rsp), %rax
        xchg    %rsp, %rax
        push    48(%rax)                /* ss */
        push    40(%rax)
        push    32(%rax)
        push    24(%rax)
        push    16(%rax)                /* rip */
        push    8(%rax)                 /* error code, vector */
        push    (%rax)
        movq    $0, (%rax)
        pop     %rax
.endm

        EXCEPTION 0, prefix=xpti, common=xpti_exception
        EXCEPTION 1, prefix=xpti, common=xpti_ist
        EXCEPTION 2, prefix=xpti, common=xpti_ist
        .irp    vector, 3, 4, 5, 6, 7
        EXCEPTION \vector, prefix=xpti, common=xpti_exception
        .endr
        EXCEPTION 8, prefix=xpti, error_code=1, common=xpti_ist
        .irp    vector, 10, 11, 12, 13, 14
        EXCEPTION \vector, prefix=xpti, error_code=1, common=xpti_exception
        .endr
        EXCEPTION 16, prefix=xpti, common=xpti_exception
        EXCEPTION 17, prefix=xpti, error_code=1, common=xpti_exception
        EXCEPTION 18, prefix=xpti, common=xpti_ist
        EXCEPTION 19, prefix=xpti, common=xpti_exception
        EXCEPTION 20, prefix=xpti, common=xpti_exception
        EXCEPTION 21, prefix=xpti, error_code=1, common=xpti_exception
        EXCEPTION 0x80, prefix=xpti, common=xpti_exception

        .globl  xpti_entry_int80
        .set    xpti_entry_int80, xpti_exception_0x80

        .balign 16
        .globl  xpti_irq_stubs
xpti_irq_stubs:
        IRQ_STUBS xpti_irq

        .balign 16
xpti_irq:
        testb   $3, 16(%rsp)
        jz      irq_common
        TO_HYPERVISOR
        jmp     irq_common

        .balign 16
xpti_exception:
        testb   $3, 16(%rsp)
        jz      1f
        TO_HYPERVISOR
        jmp     exception_common
1:      push    %rax
        lea     xpti_iret(%rip), %rax
        cmp     %rax, 16(%rsp)
        pop     %rax
        jne     exception_common
/*
 * IRETQ below faulted, on the area's stack, with the guest's registers. Makes of it a fault of entry.S's
 * IRETQ: the guest's frame is where it was, and the fault's goes below.
 */
        push    %rax
        push    %rcx
        mov     %rsp, %rcx
        and     $-AREA_SIZE, %rcx
        cmpb    $0, XPTI_isolated(%rcx)
        je      2f
        mov     XPTI_full_cr3(%rcx), %rax
        mov     %rax, %cr3
2:      mov     XPTI_stack(%rcx), %rcx
        sub     $40, %rcx
        and     $-16, %rcx
        xchg    %rsp, %rcx              /* rcx: rcx, rax, error code, rip, cs, rflags, rsp, ss */
        push    56(%rcx)
        push    48(%rcx)
        push    40(%rcx)
        push    32(%rcx)
        lea     iret_to_guest(%rip), %rax
        push    %rax
        push    16(%rcx)
        mov     8(%rcx), %rax
        movq    $0, 8(%rcx)
        push    (%rcx)
        movq    $0, (%rcx)
        pop     %rcx
        jmp     exception_common

/*
 * #DB, NMI, #DF, #MC: at any instruction, on whichever page tables. Each has a small stack in the area,
 * whose lowest word says where its real one is. The frame is moved there; above it lie the CR3 that was
 * found and the place in the area, for the way back.
 */
        .balign 16
xpti_ist:
        push    %rax
        push    %rcx
        push    %rdx
        mov     %rsp, %rcx
        and     $-AREA_SIZE, %rcx
        mov     %rsp, %rdx
        and     $-XPTI_IST_SIZE_, %rdx
        mov     %cr3, %rax
        mov     %rax, 8(%rdx)           /* for the check of debug builds */
        mov     %rax, %rdx
        xor     XPTI_roots(%rcx), %rdx
        shr     $13, %rdx               /* one of the two tables of guests' mode? */
        jnz     1f
        mov     XPTI_full_cr3(%rcx), %rdx
        mov     %rdx, %cr3
1:      mov     %rsp, %rdx
        and     $-XPTI_IST_SIZE_, %rdx
        mov     (%rdx), %rdx
        xchg    %rsp, %rdx              /* rdx: rdx, rcx, rax, vector, rip, cs, rflags, rsp, ss */
        push    %rdx
        push    %rax
        push    64(%rdx)
        push    56(%rdx)
        push    48(%rdx)
        push    40(%rdx)
        push    32(%rdx)
        push    24(%rdx)
        mov     16(%rdx), %rax
        mov     8(%rdx), %rcx
        movq    $0, 16(%rdx)
        movq    $0, 8(%rdx)
        push    (%rdx)
        movq    $0, (%rdx)
        pop     %rdx
        SAVE_ALL
        testb   $3, UREGS_cs(%rsp)
        jnz     ist_from_guest
        CALL_C  do_ist_exception
        mov     %cr3, %rax
        cmp     %rax, UREGS_kernel_sizeof(%rsp)
        je      return_to_hypervisor
        /* Back to the first or last instructions on the guest's CR3, from a stack that is mapped there. */
        mov     UREGS_kernel_sizeof + 8(%rsp), %rdi
        .irp    word, 0, 8, 16, 24, 32
        mov     UREGS_rip + \word(%rsp), %rax
        mov     %rax, 32 + \word(%rdi)
        .endr
        mov     UREGS_rax(%rsp), %rax
        mov     %rax, 24(%rdi)
        RESTORE_ALL
        mov     48(%rsp), %rax
        mov     56(%rsp), %rsp
        add     $24, %rsp
        mov     %rax, %cr3
        pop     %rax
        iretq

/* Each CPU's own code, which knows where its area is. The stack pointer is free for the new CR3. */
.macro XPTI_SYSCALL_STUBS name, common
        .balign 64
        .globl  \name
\name:
        cpu = 0
        .rept   NR_CPUS_
        .balign XPTI_SYSCALL_STUB_SIZE_
        mov     %rsp, xpti_areas + cpu * AREA_SIZE + XPTI_user_rsp(%rip)
        cmpb    $0, xpti_areas + cpu * AREA_SIZE + XPTI_isolated(%rip)
        je      1f
        mov     xpti_areas + cpu * AREA_SIZE + XPTI_full_cr3(%rip), %rsp
        mov     %rsp, %cr3
1:      mov     xpti_areas + cpu * AREA_SIZE + XPTI_stack(%rip), %rsp
        push    $SEL_RING3_SS
        push    xpti_areas + cpu * AREA_SIZE + XPTI_user_rsp(%rip)
        jmp     \common
        cpu = cpu + 1
        .endr
        .org    \name + NR_CPUS_ * XPTI_SYSCALL_STUB_SIZE_ /* fails if a stub is too long */
.endm
        XPTI_SYSCALL_STUBS xpti_syscall_stubs, syscall_common
        XPTI_SYSCALL_STUBS xpti_syscall32_stubs, syscall32_common

/* The stack pointer is the area's end; no flag may change. */
        .balign 16
        .globl  xpti_sysenter_entry
xpti_sysenter_entry:
        push    %rax
        mov     FROM_TOP(full_cr3, 8)(%rsp), %rax
        mov     %rax, %cr3
        mov     (%rsp), %rax
        mov     FROM_TOP(stack, 8)(%rsp), %rsp
        jmp     sysenter_entry

/* Interrupts are off, the frame is on top of the CPU's stack. */
        .balign 16
        .globl  xpti_exit_to_guest
xpti_exit_to_guest:
        CALL_C  xpti_exit
        CLEAR_DIVIDER
        JUMP_UNLESS_SYSRET 2f
        RESTORE_ALL
        mov     24(%rsp), %r11
        mov     CPUINFO_xpti_cr3 - UREGS_error_code(%rsp), %rcx
        mov     CPUINFO_xpti_frame - UREGS_error_code(%rsp), %rsp /* rax, rip, cs, rflags, rsp, ss */
        test    %rcx, %rcx
        jz      1f
        mov     %rcx, %cr3
1:      mov     8(%rsp), %rcx
        mov     32(%rsp), %rsp
        sysretq

2:      RESTORE_ALL
        mov     CPUINFO_xpti_cr3 - UREGS_error_code(%rsp), %rax
        mov     CPUINFO_xpti_frame - UREGS_error_code(%rsp), %rsp
        test    %rax, %rax
        jz      3f
        mov     %rax, %cr3
3:      pop     %rax
xpti_iret:
        iretq

        .section .rodata.xpti, "a", @progbits
        .balign 8
        .globl  xpti_exception_entry
xpti_exception_entry:
        EXCEPTION_TABLE prefix=xpti

        .section .note.GNU-stack, "", @progbits
