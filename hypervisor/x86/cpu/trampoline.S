/*
 * Where a CPU begins after STARTUP: real mode, cs = page >> 4. Copied to a page below 640 KiB; every
 * address in here is relative to that page. Goes straight to long mode.
 */
#include <arch/layout.h>

#define OFF(sym) ((sym) - trampoline_start)

        .section .rodata, "a", @progbits
        .balign 16
        .globl trampoline_start, trampoline_end, trampoline_args
        .code16
trampoline_start:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        movzwl  %ax, %ebx
        shll    $4, %ebx                        /* linear address of the page */
        /* Patch the pointers that need linear addresses. Two CPUs never start at once. */
        leal    OFF(gdt)(%ebx), %eax
        movl    %eax, OFF(gdt_ptr) + 2
        leal    OFF(start32)(%ebx), %eax
        movl    %eax, OFF(far32)
        lgdtl   OFF(gdt_ptr)
        movl    $1, %eax
        movl    %eax, %cr0
        ljmpl   *OFF(far32)

        .code32
start32:
        movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %ss
        movl    $0x20, %eax                     /* PAE */
        movl    %eax, %cr4
        movl    OFF(trampoline_args)(%ebx), %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x901, %eax                    /* SCE, LME, NXE */
        wrmsr
        movl    $0x80010033, %eax
        movl    %eax, %cr0
        leal    OFF(start64)(%ebx), %eax
        movl    %eax, OFF(far64)(%ebx)
        ljmpl   *OFF(far64)(%ebx)

        .code64
start64:
        xorl    %eax, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %ebx, %ebx
        movq    OFF(trampoline_args) + 8(%rbx), %rsp
        movq    OFF(trampoline_args) + 16(%rbx), %rdx
        movabsq $secondary_high, %rax
        jmp     *%rax

        .balign 8
trampoline_args:
        .skip   24
far32:  .long   0
        .word   0x08
        .balign 4
far64:  .long   0
        .word   0x10
        .balign 8
gdt:    .quad   0
        .quad   0x00cf9b000000ffff              /* 0x08: code, 32 bit */
        .quad   0x00af9b000000ffff              /* 0x10: code, 64 bit */
        .quad   0x00cf93000000ffff              /* 0x18: data */
gdt_end:
gdt_ptr:
        .word   gdt_end - gdt - 1
        .long   0
trampoline_end:

        .text
        .code64
secondary_high:
        xorl    %ebp, %ebp
        pushq   $0
        pushq   $0                              /* start_secondary does not return */
        jmp     *%rdx

        .section .note.GNU-stack, "", @progbits
