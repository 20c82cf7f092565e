/*
 * First instructions. A multiboot loader (version 1 or 2) enters `start` in 32-bit mode without
 * paging: eax is its magic, ebx its information. Builds page tables (the low 4 GiB at 0 and at the
 * direct map, the image at its place), switches to long mode and calls start_kernel(magic, info).
 */
#include <arch/layout.h>
#include "offsets.h"

#define PA(sym)      ((sym) - XEN_VIRT_START + XEN_LOAD_PADDR)
#define BOOT_CS32    0x08
#define BOOT_CS64    0x10
#define BOOT_DS      0x18
#define PTE_TABLE    0x003          /* present, writable */
#define PTE_2M       0x0e3          /* and accessed, dirty, 2 MiB */
#define PTE_4K       0x063
#define IMAGE_L1S    8

#define MB1_MAGIC    0x1badb002
#define MB1_FLAGS    0x3            /* modules page aligned, memory map wanted */
#define MB2_MAGIC    0xe85250d6

        .section .head, "ax", @progbits
        .code32
        .globl start
start:
        jmp     start32

        .balign 4
        .long   MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)

        .balign 8
mb2_header:
        .long   MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + (mb2_end - mb2_header))
        .balign 8
        .word   1, 0                /* information wanted: command line, modules, memory, ACPI */
        .long   2f - . + 4
        .long   1, 3, 4, 6, 14, 15
2:      .balign 8
        .word   4, 1                /* a console is optional */
        .long   12, 3
        .balign 8
        .word   6, 0                /* modules page aligned */
        .long   8
        .balign 8
        .word   0, 0                /* end */
        .long   8
mb2_end:

start32:
        cli
        cld
        movl    $PA(cpu0_stack_end) - 256, %esp
        movl    %eax, %esi          /* magic and info, kept in esi and edi's stack slot */
        pushl   %ebx

        /* Long mode and NX are required. */
        movl    $0x80000000, %eax
        cpuid
        cmpl    $0x80000001, %eax
        jb      no_long_mode
        movl    $0x80000001, %eax
        cpuid
        andl    $(1 << 29) | (1 << 20), %edx
        cmpl    $(1 << 29) | (1 << 20), %edx
        jne     no_long_mode

        /* Low 4 GiB: four L2 tables of 2 MiB pages. */
        movl    $PA(boot_l2_low), %edi
        movl    $PTE_2M, %eax
        xorl    %edx, %edx
        movl    $2048, %ecx
1:      movl    %eax, (%edi)
        movl    %edx, 4(%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b
        movl    $PA(boot_l3_low), %edi
        movl    $PA(boot_l2_low) + PTE_TABLE, %eax
        movl    $4, %ecx
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        loop    1b
        movl    $PA(boot_l3_low) + PTE_TABLE, PA(boot_l4)
        movl    $PA(boot_l3_low) + PTE_TABLE, PA(boot_l4) + 8 * 262

        /* The image, all accesses allowed until protect_image() knows better. */
        movl    $PA(boot_l1_image), %edi
        movl    $XEN_LOAD_PADDR + PTE_4K, %eax
        movl    $512 * IMAGE_L1S, %ecx
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        loop    1b
        movl    $PA(boot_l2_image), %edi
        movl    $PA(boot_l1_image) + PTE_TABLE, %eax
        movl    $IMAGE_L1S, %ecx
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        loop    1b
        movl    $PA(boot_l2_image) + PTE_TABLE, PA(boot_l3_image) + 8 * 0x141
        movl    $PA(boot_l3_image) + PTE_TABLE, PA(boot_l4) + 8 * 261

        popl    %edi                /* info */
        movl    $0x20, %eax         /* PAE */
        movl    %eax, %cr4
        movl    $PA(boot_l4), %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx   /* EFER: SCE, LME, NXE */
        rdmsr
        orl     $0x901, %eax
        wrmsr
        movl    $0x80010033, %eax   /* PG, WP, NE, ET, MP, PE */
        movl    %eax, %cr0
        lgdt    PA(boot_gdt_ptr)
        ljmp    $BOOT_CS64, $PA(start64_low)

no_long_mode:
        movl    $PA(no_long_mode_text), %esi
        movl    $0xb8000, %edi
1:      lodsb
        testb   %al, %al
        jz      3f
        movb    %al, (%edi)
        movb    $0x4f, 1(%edi)
        addl    $2, %edi
        movb    %al, %ah
        movw    $0x3fd, %dx         /* COM1 as the loader left it */
        movl    $0x10000, %ecx
2:      inb     %dx, %al
        testb   $0x20, %al
        loopz   2b
        movw    $0x3f8, %dx
        movb    %ah, %al
        outb    %al, %dx
        jmp     1b
3:      hlt
        jmp     3b
no_long_mode_text:
        .asciz  "Hospes needs a 64-bit x86 processor with NX (execute disable; see the BIOS set-up).\r\n"

        .code64
start64_low:
        movabsq $start64, %rax
        jmp     *%rax
start64:
        lgdt    boot_gdt_ptr64(%rip)
        movl    $BOOT_DS, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        leaq    cpu0_stack_end(%rip), %rsp
        subq    $CPUINFO_sizeof, %rsp
        xorl    %ebp, %ebp
        movl    %edi, %eax
        movl    %esi, %edi
        movl    %eax, %esi
        pushq   $0                  /* keeps the stack 16-aligned */
        call    start_kernel
        ud2

        .section .rodata, "a", @progbits
        .balign 16
        .globl boot_gdt
boot_gdt:
        .quad   0
        .quad   0x00cf9b000000ffff  /* BOOT_CS32 */
        .quad   0x00af9b000000ffff  /* BOOT_CS64 */
        .quad   0x00cf93000000ffff  /* BOOT_DS */
boot_gdt_end:
boot_gdt_ptr:
        .word   boot_gdt_end - boot_gdt - 1
        .long   PA(boot_gdt)
        .balign 8
        .word   0, 0, 0
boot_gdt_ptr64:
        .word   boot_gdt_end - boot_gdt - 1
        .quad   boot_gdt

        .section .bss.stack, "aw", @nobits
        .balign 32768
        .globl cpu0_stack, cpu0_stack_end
cpu0_stack:
        .skip   32768
cpu0_stack_end:

        .section .bss.page_aligned, "aw", @nobits
        .balign 4096
        .globl boot_l4, boot_l1_image, boot_l2_image, boot_l3_image, boot_l3_low, boot_l2_low
boot_l4:        .skip 4096
boot_l3_low:    .skip 4096
boot_l2_low:    .skip 4096 * 4
boot_l3_image:  .skip 4096
boot_l2_image:  .skip 4096
boot_l1_image:  .skip 4096 * IMAGE_L1S

        .section .note.GNU-stack, "", @progbits
