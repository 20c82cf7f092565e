/*
 * Hypercalls. The rows are in hypercall/hypercalls.def; from them come the prototypes below, the
 * dispatch table and the permission check. Every handler: copy in, check everything, then act.
 *
 * Preemption. Work that can be long asks hypercall_preempt_check() between steps, stores its
 * progress in the arguments and returns hypercall_create_continuation(...): the guest will make the
 * same hypercall again with the new arguments, after interrupts and other vcpus had their turn. All
 * arguments are checked again as if new: the guest may have changed them.
 */
#ifndef HOSPES_HYPERCALL_H
#define HOSPES_HYPERCALL_H

#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/guest_access.h>
#include <hospes/percpu.h>
#include <hospes/softirq.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/memory.h>

/* Argument kinds of the rows: L unsigned long, I unsigned int, P a guest handle of void. */
#define HYPERCALL_TYPE_L unsigned long
#define HYPERCALL_TYPE_I unsigned int
#define HYPERCALL_TYPE_P XEN_GUEST_HANDLE(void)

#define HYPERCALL0(nr, name, who)       long do_##name(void);
#define HYPERCALL1(nr, name, who, a)    long do_##name(HYPERCALL_TYPE_##a);
#define HYPERCALL2(nr, name, who, a, b) long do_##name(HYPERCALL_TYPE_##a, HYPERCALL_TYPE_##b);
#define HYPERCALL3(nr, name, who, a, b, c) \
    long do_##name(HYPERCALL_TYPE_##a, HYPERCALL_TYPE_##b, HYPERCALL_TYPE_##c);
#define HYPERCALL4(nr, name, who, a, b, c, d) \
    long do_##name(HYPERCALL_TYPE_##a, HYPERCALL_TYPE_##b, HYPERCALL_TYPE_##c, HYPERCALL_TYPE_##d);
#define HYPERCALL5(nr, name, who, a, b, c, d, e)                                                   \
    long do_##name(HYPERCALL_TYPE_##a, HYPERCALL_TYPE_##b, HYPERCALL_TYPE_##c, HYPERCALL_TYPE_##d, \
                   HYPERCALL_TYPE_##e);
#include "../../hypercall/hypercalls.def"

/* True when this CPU has something to do that must not wait for a long hypercall. */
static inline bool hypercall_preempt_check(void)
{
    return unlikely(READ_ONCE(this_cpu(softirq_pending)) != 0);
}

/*
 * The current hypercall `op` is to be made again with these arguments; return what this returns.
 * fmt: one letter per argument, i: unsigned int, l: unsigned long, h: handle's address as unsigned
 * long. Inside a multicall the entry is rewritten. Implemented by the architecture.
 */
unsigned long hypercall_create_continuation(unsigned int op, const char *fmt, ...);

/* The dispatch table (hypercall/dispatch.c). */
#define NR_HYPERCALLS 64u
struct hypercall {
    unsigned long (*fn)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);
    enum { HYPERCALL_ANY, HYPERCALL_PV, HYPERCALL_PRIV } who;
};
extern const struct hypercall hypercall_table[NR_HYPERCALLS];

/* As hypercall_dispatch, in line; d is the current domain. */
static __always_inline unsigned long hypercall_dispatch_from(const struct domain *d,
                                                             unsigned long nr, unsigned long a1,
                                                             unsigned long a2, unsigned long a3,
                                                             unsigned long a4, unsigned long a5)
{
    const struct hypercall *h;

    if (unlikely(nr >= NR_HYPERCALLS)) {
        return (unsigned long)-ENOSYS;
    }
    h = &hypercall_table[array_index_nospec(nr, NR_HYPERCALLS)];
    if (unlikely(!h->fn) || (h->who == HYPERCALL_PV && unlikely(d->is_hvm))) {
        return (unsigned long)-ENOSYS;
    }
    if (h->who == HYPERCALL_PRIV) {
        if (!d->is_privileged) {
            return (unsigned long)-EPERM;
        }
        block_speculation();
    }
    return h->fn(a1, a2, a3, a4, a5);
}

/* Calls hypercall nr for the current vcpu: what the entry path and multicall use. -ENOSYS, -EPERM.
 */
unsigned long hypercall_dispatch(unsigned long nr, unsigned long a1, unsigned long a2,
                                 unsigned long a3, unsigned long a4, unsigned long a5);

/* The architecture's part of families that core implements: -ENOSYS for what it does not know. */
struct xen_domctl;
struct xen_sysctl;
long arch_do_domctl(struct xen_domctl *op, struct domain *d, XEN_GUEST_HANDLE(void) u_domctl,
                    bool *copyback);
long arch_do_sysctl(struct xen_sysctl *op, XEN_GUEST_HANDLE(void) u_sysctl, bool *copyback);
long arch_memory_op(unsigned long cmd, XEN_GUEST_HANDLE(void) arg);
long arch_do_vcpu_op(unsigned int cmd, struct vcpu *v, XEN_GUEST_HANDLE(void) arg);

#endif
