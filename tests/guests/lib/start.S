/*
 * A PV test kernel's notes, hypercall page, first instructions and trap entries. The frame that C
 * sees is struct trap_frame of guest.h.
 */
#include "guest_asm.h"

        .macro NOTE_STRING type, text
        .pushsection .note.Xen, "a", @note
        .balign 4
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      .asciz  "\text"
2:      .balign 4
        .popsection
        .endm
        .macro NOTE_QUAD type, value
        .pushsection .note.Xen, "a", @note
        .balign 4
        .long   4, 8, \type
        .asciz  "Xen"
        .quad   \value
        .popsection
        .endm

        NOTE_STRING 6, "hospes-test"            /* GUEST_OS */
        NOTE_STRING 5, "xen-3.0"                /* XEN_VERSION */
        NOTE_STRING 8, "generic"                /* LOADER */
        NOTE_QUAD   3, GUEST_VIRT_BASE          /* VIRT_BASE */
        NOTE_QUAD   4, 0                        /* PADDR_OFFSET */
        NOTE_QUAD   1, _start                   /* ENTRY */
        NOTE_QUAD   2, hypercall_page           /* HYPERCALL_PAGE */
        NOTE_STRING 9, "yes"                    /* PAE_MODE */
        NOTE_STRING 10, "!writable_page_tables|pae_pgdir_above_4gb"
        NOTE_QUAD   17, 0x801                   /* SUPPORTED_FEATURES: writable tables (ours are not), dom0 */

        .text
        .globl  _start, hypercall_page
_start:
        cld
        mov     $boot_stack_end, %rsp
        xor     %ebp, %ebp
        mov     %rsi, %rdi
        call    guest_start
        ud2

        .balign 4096
hypercall_page:
        .fill   4096, 1, 0xcc

/* Another vcpu begins here: rdi is its function. */
        .globl  secondary_start
secondary_start:
        cld
        xor     %ebp, %ebp
        call    *%rdi
1:      mov     $29, %eax                       /* sched_op(yield): it has nothing more to do */
        xor     %edi, %edi
        xor     %esi, %esi
        syscall
        jmp     1b

/*
 * The hypervisor enters with rcx, r11 on top of (error code), rip, cs, rflags, rsp, ss. The frame is
 * completed to struct trap_frame and given to guest_trap; the way back is the iret hypercall.
 */
        .macro  TRAP vector, has_error
        .balign 32
        pop     %rcx
        pop     %r11
        .if     \has_error == 0
        pushq   $0
        .endif
        pushq   $\vector
        jmp     trap_common
        .endm

        .balign 32
        .globl  trap_entries
trap_entries:
        vector = 0
        .rept   32
        .if     vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
        TRAP    vector, 1
        .else
        TRAP    vector, 0
        .endif
        vector = vector + 1
        .endr

/* An event: the same with vector 0x100. */
        .balign 32
        .globl  event_entry, failsafe_entry
event_entry:
        pop     %rcx
        pop     %r11
        pushq   $0
        pushq   $0x100
        jmp     trap_common
/* ds, es, fs, gs lie above rcx and r11. */
failsafe_entry:
        pop     %rcx
        pop     %r11
        add     $32, %rsp
        pushq   $0
        pushq   $0x101

trap_common:
        push    %r15
        push    %r14
        push    %r13
        push    %r12
        push    %rbp
        push    %rbx
        push    %r11
        push    %r10
        push    %r9
        push    %r8
        push    %rax
        push    %rcx
        push    %rdx
        push    %rsi
        push    %rdi
        mov     %rsp, %rdi
        mov     %rsp, %rbp
        and     $-16, %rsp
        cld
        call    guest_trap
        mov     %rbp, %rsp
        pop     %rdi
        pop     %rsi
        pop     %rdx
        pop     %rcx
        pop     %rax
        pop     %r8
        pop     %r9
        pop     %r10
        pop     %r11
        pop     %rbx
        pop     %rbp
        pop     %r12
        pop     %r13
        pop     %r14
        pop     %r15
        add     $16, %rsp                       /* vector, error code: rip, cs, ... is on top */
        pushq   $0                              /* flags of the iret hypercall, whose stub adds
                                                   rcx, r11 and rax */
        jmp     hypercall_page + 23 * 32        /* __HYPERVISOR_iret */

        .section .bss
        .balign 4096
        .globl  boot_stack_end
        .skip   32768
boot_stack_end:
        .section .note.GNU-stack, "", @progbits
