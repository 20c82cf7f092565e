/* domctl: shared between its files. domctl.def has the rows, domctl.c dispatches. */
#ifndef HYPERCALL_DOMCTL_H
#define HYPERCALL_DOMCTL_H

#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <xen/sysctl.h>

enum domctl_flags {
    DOMCTL_DOMAIN = 1,
    DOMCTL_OTHER = 2,
    DOMCTL_LOCK = 4,
    DOMCTL_COPYBACK = 8,
    DOMCTL_TARGET = 16,
};

/* One call: the copied-in operation, the domain it is about (NULL without DOMCTL_DOMAIN). */
struct domctl_call {
    struct xen_domctl *op;
    struct domain *d;
    XEN_GUEST_HANDLE(xen_domctl_t) user;
};

/* 0, -errno, or -ERESTART: the same call is made again (user memory holds what has changed). */
#define DOMCTL(name, flags, handler) int handler(struct domctl_call *c);
#include "domctl.def"
#undef DOMCTL

/* Fills what getdomaininfo and getdomaininfolist answer. */
void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* Bitmaps of CPUs as tools pass them: bits beyond what is there are dropped, missing ones are 0. */
int cpumask_from_user(cpumask_t *out, const struct xenctl_bitmap *map) __must_check;
int cpumask_to_user(struct xenctl_bitmap *map, cpumask_t mask) __must_check;

#endif
