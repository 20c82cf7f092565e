/*
 * x86: each CPU has one aligned block of STACK_SIZE bytes; at its top lies struct cpu_info, found
 * from the stack pointer alone. So no segment register is ours: entry needs no swapgs, and NMIs
 * find the CPU too.
 *
 * The block, from its start (lowest address) up, in pages: IST stacks (NMI, #MC, #DF, #DB: one page
 * each), a guard page, and the primary stack, which ends below cpu_info at the block's end.
 */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <hospes/types.h>

#define STACK_ORDER 3
#define STACK_SIZE  (PAGE_SIZE << STACK_ORDER)
#define IST_STACKS  4u

struct cpu_info {
    struct cpu_user_regs
        guest_cpu_user_regs; /* of `current`, on entry from a guest (es..gs not saved) */
    unsigned int processor_id;
    unsigned int reserved;
    struct vcpu *current_vcpu;
    unsigned long per_cpu_offset;
    unsigned long
        pad; /* keeps guest_cpu_user_regs' end (where the CPU starts to push) 16-aligned */
    /* With XPTI: what CR3 holds in the guest (0: what it holds here), and its frame there. */
    unsigned long xpti_cr3, xpti_frame;
};

static __always_inline struct cpu_info *get_cpu_info(void)
{
    unsigned long sp;

    __asm__("mov %%rsp, %0" : "=r"(sp)); /* not volatile: constant within a function */
    return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1) - 1;
}

#define smp_processor_id() (get_cpu_info()->processor_id)

extern unsigned long per_cpu_offset[];
#define PERCPU_SECTION __section(".data.percpu")
#define per_cpu(name, cpu) \
    (*(__typeof__(percpu_##name) *)((unsigned long)&percpu_##name + per_cpu_offset[cpu]))
#define this_cpu(name) \
    (*(__typeof__(percpu_##name) *)((unsigned long)&percpu_##name + get_cpu_info()->per_cpu_offset))

#endif
