/*
 * private.h: what libxenctrl's own files share: the handle, errors, control structures, and the
 * layer of system calls that a test can replace.
 *
 * Invariants: every hypercall argument lives in memory of xc_buffer_alloc() or in the handle's
 * control page; a function that fails goes through xc_fail() exactly once.
 */
#ifndef HOSPES_LIBXENCTRL_PRIVATE_H
#define HOSPES_LIBXENCTRL_PRIVATE_H

#define __XEN_TOOLS__ 1
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/memory.h>

#include "libxenctrl/include/xenctrl.h"

/* The system calls that reach a driver. Each behaves as the call of its name. */
struct xc_sys {
    int (*open)(const char *path, int flags);
    int (*close)(int fd);
    int (*ioctl)(int fd, unsigned long request, void *argument);
    void *(*mmap)(size_t length, int prot, int flags, int fd, off_t offset);
    int (*munmap)(void *address, size_t length);
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *buffer, size_t size);
};
/* Linux's, unless a test has put its own here before it opened a handle. */
extern const struct xc_sys *xc_sys;

#define XC_ERROR_SIZE   768
#define XC_CACHE_PAGES  4 /* largest buffer, in pages, that the cache keeps */
#define XC_CACHE_BLOCKS 8 /* how many of each size */

struct xc_handle {
    int privcmd;   /* /dev/xen/privcmd */
    int hypercall; /* /dev/xen/hypercall, or -1 where the kernel has none */
    void *control; /* one page: the argument structure of the current hypercall */
    void *cached[XC_CACHE_PAGES][XC_CACHE_BLOCKS]; /* free buffers of 1 to 4 pages */
    unsigned int nr_cached[XC_CACHE_PAGES];
    uint64_t calls;       /* see xc_hypercall_count() */
    uint32_t nr_cpu_bits; /* 1 + highest CPU number; 0: not asked yet */
    char error[XC_ERROR_SIZE];
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Store the sentence and return @rc, which must be negative. @h may be NULL. The sentence ends with
 * a full stop and has the cause and, where there is one, the cure.
 */
int xc_fail(struct xc_handle *h, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a negative errno value of the hypervisor or its drivers means, as half a sentence. */
const char *xc_reason(int rc);

/* A domid as the ABI has it; one too large to be one becomes DOMID_INVALID, never another's. */
static inline domid_t xc_domid(uint32_t domid)
{
    return domid > UINT16_MAX ? DOMID_INVALID : (domid_t)domid;
}

/*
 * A control structure of @size bytes, zeroed, in the handle's control page. Only one is alive at a
 * time.
 */
void *xc_control(struct xc_handle *h, size_t size);

/*
 * One hypercall with two or three arguments; pointers are to buffers. Returns as xc_hypercall().
 */
long xc_call(struct xc_handle *h, unsigned int nr, uint64_t a, uint64_t b, uint64_t c);

/* xc_call() of XENMEM_@cmd with the control structure at @argument. */
static inline long xc_memory_call(struct xc_handle *h, unsigned int cmd, void *argument)
{
    return xc_call(h, __HYPERVISOR_memory_op, cmd, (uintptr_t)argument, 0);
}

/*
 * Begin a domctl: returns the zeroed structure with command, version and domain filled in. Then
 * xc_domctl() makes the call; it repeats one that the hypervisor asks to repeat. Returns 0 or
 * positive values as the hypervisor gave them, or a negative errno value; sets no sentence.
 */
struct xen_domctl *xc_domctl_begin(struct xc_handle *h, uint32_t cmd, uint32_t domid);
int xc_domctl(struct xc_handle *h);

/* The same for sysctls. */
struct xen_sysctl *xc_sysctl_begin(struct xc_handle *h, uint32_t cmd);
int xc_sysctl(struct xc_handle *h);

/*
 * xc_domctl(), and on failure the sentence "Domain N can't be @what: REASON.". Returns 0 or a
 * negative errno value.
 */
int xc_domctl_named(struct xc_handle *h, const char *what);

/*
 * Destroy a domain whose creation failed, as well as it can be done, and keep the sentence that
 * tells why it failed.
 */
void xc_domain_undo(struct xc_handle *h, uint32_t domid);

/* The hypervisor's form of a domain's information. */
void xc_domain_info_from(const struct xen_domctl_getdomaininfo *from, struct xc_domain_info *info);

/* Scoped hypercall buffers. */
struct xc_buffer {
    struct xc_handle *h;
    void *p; /* NULL: there was no memory, and the handle says so */
    size_t size;
};
static inline struct xc_buffer xc_buffer_new(struct xc_handle *h, size_t size)
{
    return (struct xc_buffer){h, xc_buffer_alloc(h, size), size};
}
static inline void xc_buffer_release(struct xc_buffer *b)
{
    xc_buffer_free(b->h, b->p, b->size);
}
#define XC_SCOPED_BUFFER __attribute__((cleanup(xc_buffer_release))) struct xc_buffer

/* Write @text to @why, cut to fit; @why may be NULL. */
void xc_explain(char *why, size_t why_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* HOSPES_LIBXENCTRL_PRIVATE_H */
