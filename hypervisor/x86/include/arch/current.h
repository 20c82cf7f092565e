/* x86: the running vcpu and its registers. */
#ifndef ARCH_CURRENT_H
#define ARCH_CURRENT_H

#include <arch/percpu.h>

#define current               (get_cpu_info()->current_vcpu)
#define set_current(v)        (get_cpu_info()->current_vcpu = (v))
#define guest_cpu_user_regs() (&get_cpu_info()->guest_cpu_user_regs)

/* Empties the stack and goes to fn, which does not return: the end of every context switch. */
#define reset_stack_and_jump(fn)                                                        \
    do {                                                                                \
        __asm__ volatile("mov %0, %%rsp; jmp %P1" ::"r"(guest_cpu_user_regs()), "i"(fn) \
                         : "memory");                                                   \
        unreachable();                                                                  \
    } while (0)

#endif
