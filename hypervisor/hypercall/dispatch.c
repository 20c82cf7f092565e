/*
 * From a hypercall's number to its handler. The rows of hypercalls.def make the table; who may call
 * is checked here, what a caller may do with it in the handler.
 */
#include <hospes/arch.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>

/* An argument of each kind, from a register. */
#define ARG_L(x) (x)
#define ARG_I(x) ((unsigned int)(x))
#define ARG_P(x) guest_handle_from_addr(x, void)

#define ALL_ARGS \
    unsigned long x1, unsigned long x2, unsigned long x3, unsigned long x4, unsigned long x5
#define UNUSED_ARGS ((void)x1, (void)x2, (void)x3, (void)x4, (void)x5)

#define WRAPPER(name, call)                    \
    static unsigned long call_##name(ALL_ARGS) \
    {                                          \
        UNUSED_ARGS;                           \
        return (unsigned long)(call);          \
    }
#define HYPERCALL0(nr, name, who)       WRAPPER(name, do_##name())
#define HYPERCALL1(nr, name, who, a)    WRAPPER(name, do_##name(ARG_##a(x1)))
#define HYPERCALL2(nr, name, who, a, b) WRAPPER(name, do_##name(ARG_##a(x1), ARG_##b(x2)))
#define HYPERCALL3(nr, name, who, a, b, c) \
    WRAPPER(name, do_##name(ARG_##a(x1), ARG_##b(x2), ARG_##c(x3)))
#define HYPERCALL4(nr, name, who, a, b, c, d) \
    WRAPPER(name, do_##name(ARG_##a(x1), ARG_##b(x2), ARG_##c(x3), ARG_##d(x4)))
#define HYPERCALL5(nr, name, who, a, b, c, d, e) \
    WRAPPER(name, do_##name(ARG_##a(x1), ARG_##b(x2), ARG_##c(x3), ARG_##d(x4), ARG_##e(x5)))
#include "hypercalls.def"

#define ROW(nr, name, caller)          [nr] = {.fn = call_##name, .who = HYPERCALL_##caller},
#define HYPERCALL0(nr, name, who)      ROW(nr, name, who)
#define HYPERCALL1(nr, name, who, ...) ROW(nr, name, who)
#define HYPERCALL2(nr, name, who, ...) ROW(nr, name, who)
#define HYPERCALL3(nr, name, who, ...) ROW(nr, name, who)
#define HYPERCALL4(nr, name, who, ...) ROW(nr, name, who)
#define HYPERCALL5(nr, name, who, ...) ROW(nr, name, who)
const struct hypercall hypercall_table[NR_HYPERCALLS] = {
#include "hypercalls.def"
};

unsigned long hypercall_dispatch(unsigned long nr, unsigned long a1, unsigned long a2,
                                 unsigned long a3, unsigned long a4, unsigned long a5)
{
    return hypercall_dispatch_from(current->domain, nr, a1, a2, a3, a4, a5);
}
