/*
 * What the entry points of entry.S and xpti.S are made of: saving and restoring registers, calling
 * C, one stub an exception. Included by assembly only.
 */
/* clang-format off */

/* The frame from error_code upwards is on the stack; saves the rest. No register and no flag keeps what
 * the guest chose: speculation finds nothing of its. */
.macro SAVE_ALL
        push    %rdi
        push    %rsi
        push    %rdx
        push    %rcx
        push    %rax
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        cld
        xor     %eax, %eax
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %ebx, %ebx
        xor     %ebp, %ebp
        xor     %r8d, %r8d
        xor     %r9d, %r9d
        xor     %r10d, %r10d
        xor     %r11d, %r11d
        xor     %r12d, %r12d
        xor     %r13d, %r13d
        xor     %r14d, %r14d
        xor     %r15d, %r15d
.Lclac\@:
        .byte   NOP3_BYTES
        ALTERNATIVE .Lclac\@, ALT_SMAP, 3, CLAC_BYTES
        JUMP_UNLESS ALT_SPEC_ENTRY, .Lno_spec\@
        call    spec_ctrl_entry
.Lno_spec\@:
.endm

.macro RESTORE_ALL
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rax
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
.endm

/* Calls fn(frame) with the stack aligned as C expects: the frame's size is 8 modulo 16. */
.macro CALL_C fn
        mov     %rsp, %rdi
        sub     $8, %rsp
        call    \fn
        add     $8, %rsp
.endm

/* One entry per exception; those that push no error code push 0 for it. */
.macro EXCEPTION vector, error_code=0, common=exception_common, prefix=entry
        .balign 16
\prefix\()_exception_\vector:
        .if \error_code == 0
        push    $0
        .endif
        movl    $\vector, 4(%rsp)
        jmp     \common
.endm

/* The stubs of the vectors 0x20 to 0xff. */
.macro IRQ_STUBS common
        vector = 0x20
        .rept   0x100 - 0x20
        .balign 16
        push    $0
        movl    $vector, 4(%rsp)
        jmp     \common
        vector = vector + 1
        .endr
.endm

/* A table of the exceptions' entries for C: vectors 0 to 31, 0 where there is none. */
.macro EXCEPTION_TABLE prefix=entry
        .irp    vector, 0, 1, 2, 3, 4, 5, 6, 7, 8
        .quad   \prefix\()_exception_\vector
        .endr
        .quad   0
        .irp    vector, 10, 11, 12, 13, 14
        .quad   \prefix\()_exception_\vector
        .endr
        .quad   0
        .irp    vector, 16, 17, 18, 19, 20, 21
        .quad   \prefix\()_exception_\vector
        .endr
        .fill   10, 8, 0
.endm

/* Everything in registers is the guest's but rax; may SYSRET take it back there? It gives the guest flat
 * selectors and its rip in rcx: right after SYSCALL and at the start of a handler. A rip that is not
 * canonical would fault in ring 0 on the guest's stack. */
.macro JUMP_UNLESS_SYSRET label
        testb   $TRAP_SYSCALL_ >> 8, UREGS_entry_vector + 1(%rsp)
        jz      \label
        mov     UREGS_rip(%rsp), %rcx
        mov     %rcx, %rax
        shl     $16, %rax
        sar     $16, %rax
        cmp     %rcx, %rax
        jne     \label
        cmpw    $SEL_RING3_CS32, UREGS_cs(%rsp)
        je      \label
.endm

/* Zen 1's divider keeps the last result. Clobbers rax. */
.macro CLEAR_DIVIDER
.Ldiv\@:
        .byte   NOP7_BYTES
        ALTERNATIVE .Ldiv\@, ALT_DIV_EXIT, 7, 0xb8, 0x01, 0x00, 0x00, 0x00, 0xf6, 0xf0 /* mov $1, %eax; div %al */
.endm
