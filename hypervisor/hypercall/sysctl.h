/* sysctl: shared between its files. sysctl.def has the rows, sysctl.c dispatches. */
#ifndef HYPERCALL_SYSCTL_H
#define HYPERCALL_SYSCTL_H

#include <hospes/arch.h>
#include <hospes/console.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/lib.h>
#include <hospes/memory.h>
#include <hospes/trace.h>
#include <xen/sysctl.h>

struct sysctl_call {
    struct xen_sysctl *op;
    XEN_GUEST_HANDLE(xen_sysctl_t) user;
};

/* 0, -errno, or -ERESTART: the same call is made again. */
#define SYSCTL(name, copyback, handler) int handler(struct sysctl_call *c);
#include "sysctl.def"
#undef SYSCTL

#endif
