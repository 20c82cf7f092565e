/* The ABI's error numbers without their prefix. Functions return 0 or -E... */
#ifndef HOSPES_ERRNO_H
#define HOSPES_ERRNO_H

#ifdef HOSPES_HOST_TEST
#include <errno.h> /* Linux/x86's values are the ABI's, and have ERESTART */
#else
#define XEN_ERRNO(name, value) name = value,
enum {
#include <xen/errno.h>
    /* The header hides these from tools, or lacks them. */
    EINTR = 4,
    ERESTART = 85,
    EUSERS = 87,
};
#endif

/* -ERESTART is never seen by a guest: the hypercall was preempted and continues (hypercall.h). */
#endif
