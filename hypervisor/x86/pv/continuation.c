/*
 * Preempted hypercalls (hypercall.h): the guest's registers are made those of the same hypercall
 * with other arguments, and its instruction pointer is put back onto the SYSCALL. Within a
 * multicall it is the entry that is rewritten, and the multicall that is continued
 * (hypercall/multicall.c).
 */
#include <hospes/multicall.h>
#include "pv.h"

static unsigned long next_arg(char kind, va_list args)
{
    switch (kind) {
    case 'i':
        return va_arg(args, unsigned int);
    case 'l':
    case 'h':
        return va_arg(args, unsigned long);
    default:
        BUG();
    }
}

unsigned long hypercall_create_continuation(unsigned int op, const char *fmt, ...)
{
    struct vcpu *v = current;
    struct cpu_user_regs *regs = guest_cpu_user_regs();
    uint64_t *const in_regs[] = {&regs->rdi, &regs->rsi, &regs->rdx, &regs->r10, &regs->r8};
    va_list args;

    v->hcall_preempted = true;
    va_start(args, fmt);
    for (unsigned int n = 0; fmt[n]; n++) {
        unsigned long value = next_arg(fmt[n], args);

        BUG_ON(n >= ARRAY_SIZE(in_regs));
        if (v->in_multicall) {
            this_cpu(multicall).call.args[n] = value;
        } else {
            *in_regs[n] = value;
        }
    }
    va_end(args);
    if (v->in_multicall) {
        this_cpu(multicall).call.op = op;
    }
    return op; /* becomes rax */
}
