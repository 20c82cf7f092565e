/* x86: pausing, interrupt flag, barriers. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <hospes/compiler.h>

#include <arch/alternative.h>

#define X86_EFLAGS_CF   0x00000001ul
#define X86_EFLAGS_TF   0x00000100ul
#define X86_EFLAGS_IF   0x00000200ul
#define X86_EFLAGS_DF   0x00000400ul
#define X86_EFLAGS_OF   0x00000800ul
#define X86_EFLAGS_IOPL 0x00003000ul
#define X86_EFLAGS_NT   0x00004000ul
#define X86_EFLAGS_RF   0x00010000ul
#define X86_EFLAGS_VM   0x00020000ul
#define X86_EFLAGS_AC   0x00040000ul
#define X86_EFLAGS_VIF  0x00080000ul
#define X86_EFLAGS_VIP  0x00100000ul
#define X86_EFLAGS_ID   0x00200000ul
#define X86_EFLAGS_MBS  0x00000002ul

static __always_inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
/* Nothing behind this is executed, even speculatively, before what decides whether it is reached is
 * known: behind checks of permission and behind locks. */
static __always_inline void block_speculation(void)
{
    __asm__ volatile("773: .byte " ALT_STR(NOP3_BYTES) "\n" /* */
                     ALTERNATIVE(773b, ALT_BRANCH_HARDEN, 3, LFENCE_BYTES)::
                         : "memory");
}
static __always_inline void local_irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}
static __always_inline void local_irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}
static __always_inline unsigned long local_save_flags(void)
{
    unsigned long f;

    __asm__ volatile("pushfq; popq %0" : "=r"(f)::"memory");
    return f;
}
static __always_inline unsigned long local_irq_save(void)
{
    unsigned long f = local_save_flags();

    local_irq_disable();
    return f;
}
static __always_inline void local_irq_restore(unsigned long f)
{
    if (f & X86_EFLAGS_IF) {
        local_irq_enable();
    }
}
static __always_inline _Bool local_irq_is_enabled(void)
{
    return (local_save_flags() & X86_EFLAGS_IF) != 0;
}
#define smp_mb()  __asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc")
#define smp_rmb() barrier()
#define smp_wmb() barrier()

#endif
