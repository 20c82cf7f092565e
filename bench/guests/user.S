/*
 * The user-mode half of the system call measurement. bench_enter_user(rounds, stack) goes to user mode, where
 * SYSCALL is executed `rounds` times; the kernel's callback answers each by the iret hypercall, and the last
 * one by returning from bench_enter_user.
 */
#include <xen/xen.h>

        .text
        .globl  bench_enter_user, bench_user, bench_syscall_entry
bench_enter_user:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, saved_sp(%rip)
        mov     %rdi, rounds_left(%rip)
        /* flags rip cs rflags rsp ss: the hypercall page puts rax, r11 and rcx in front (struct iret_context) */
        push    $(FLAT_USER_SS | 3)
        push    %rsi
        push    $0x202
        push    $(FLAT_USER_CS | 3)
        lea     bench_user(%rip), %rax
        push    %rax
        push    $0
        jmp     hypercall_page + __HYPERVISOR_iret * 32

bench_user:
        syscall
        jmp     bench_user

/* On the kernel stack: rcx r11 rip cs rflags rsp ss. */
bench_syscall_entry:
        decq    rounds_left(%rip)
        jz      1f
        pop     %rcx
        pop     %r11
        push    $VGCF_in_syscall
        jmp     hypercall_page + __HYPERVISOR_iret * 32
1:      mov     saved_sp(%rip), %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        xor     %eax, %eax
        ret

        .bss
saved_sp:       .skip 8
rounds_left:    .skip 8
        .section .note.GNU-stack, "", @progbits
