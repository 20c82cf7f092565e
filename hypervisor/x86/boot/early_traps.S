/* Exceptions before the real entry points are in force: push everything, print it, stop. */
#include <arch/layout.h>

        .section .init.text, "ax", @progbits
        .globl early_trap_stubs
        .balign 16
early_trap_stubs:
        .set    vector, 0
        .rept   32
        .balign 16
        .if     !((0x60227d00 >> vector) & 1)
        pushq   $0
        .endif
        pushq   $vector
        jmp     early_trap_common
        .set    vector, vector + 1
        .endr

early_trap_common:
        cld
        pushq   %rdi
        pushq   %rsi
        pushq   %rdx
        pushq   %rcx
        pushq   %rax
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, %rdi
        call    early_trap
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        popq    %r11
        popq    %r10
        popq    %r9
        popq    %r8
        popq    %rax
        popq    %rcx
        popq    %rdx
        popq    %rsi
        popq    %rdi
        addq    $16, %rsp
        iretq

        .section .note.GNU-stack, "", @progbits
