/*
 * Calls and jumps through a register go through these (the compilers' -mindirect-branch=thunk-extern and
 * its like), so that the processor does not speculate to a target that a guest has trained. As linked: a
 * retpoline; alternatives_apply() makes them LFENCE; JMP or a plain JMP where that is what the processor
 * wants or the command line says (x86/cpu/spec_ctrl.c).
 */
#include <arch/alternative.h>

        .section .text.entry, "ax", @progbits

/* rm: the operand's byte of FF /4 (jump through a register); rex: 0x41 for r8 to r15, else 0x40. */
.macro THUNK reg:req, rex:req, rm:req
        .balign 16
        .globl  __x86_indirect_thunk_\reg
        .hidden __x86_indirect_thunk_\reg
__x86_indirect_thunk_\reg:
        call    1f
2:      int3                            /* where speculation of the return ends up */
        jmp     2b
1:      mov     %\reg, (%rsp)
        ret
        ALTERNATIVE __x86_indirect_thunk_\reg, ALT_THUNK_LFENCE, 6, 0x0f, 0xae, 0xe8, \rex, 0xff, \rm
        ALTERNATIVE __x86_indirect_thunk_\reg, ALT_THUNK_JMP, 3, \rex, 0xff, \rm
.endm

        THUNK rax, 0x40, 0xe0
        THUNK rcx, 0x40, 0xe1
        THUNK rdx, 0x40, 0xe2
        THUNK rbx, 0x40, 0xe3
        THUNK rbp, 0x40, 0xe5
        THUNK rsi, 0x40, 0xe6
        THUNK rdi, 0x40, 0xe7
        THUNK r8, 0x41, 0xe0
        THUNK r9, 0x41, 0xe1
        THUNK r10, 0x41, 0xe2
        THUNK r11, 0x41, 0xe3
        THUNK r12, 0x41, 0xe4
        THUNK r13, 0x41, 0xe5
        THUNK r14, 0x41, 0xe6
        THUNK r15, 0x41, 0xe7

        .section .note.GNU-stack, "", @progbits
