/*
 * xc_handle.h: a connection to the hypervisor, its errors, hypercall buffers and raw hypercalls.
 *
 * Read xenctrl.h first: its conventions hold here.
 */
#ifndef HOSPES_XC_HANDLE_H
#define HOSPES_XC_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XC_PAGE_SHIFT 12
#define XC_PAGE_SIZE  4096u

/* The result must be looked at. */
#define XC_MUST_CHECK __attribute__((warn_unused_result))

/* The caller's own domain, wherever a domid is asked for (DOMID_SELF). */
#define XC_DOMID_SELF 0x7ff0u
/* No domain (DOMID_INVALID). */
#define XC_DOMID_INVALID 0x7ff4u
/* Ordinary domains have smaller domids than this (DOMID_FIRST_RESERVED). */
#define XC_DOMID_RESERVED 0x7ff0u

/* A connection to the hypervisor. */
struct xc_handle;

/*
 * Open a connection and check that a hypervisor of the right interface answers.
 *
 * @out       the new handle; NULL after a failure
 * @why       where the sentence for a failure is written (there is no handle to ask); may be NULL
 * @why_size  bytes at @why
 *
 * Errors: -ENOENT or -ENODEV: not running on the hypervisor, or its driver is not loaded; -EACCES:
 * not root; -EPROTO: another version of the interface; -ENOMEM.
 */
XC_MUST_CHECK int xc_open(struct xc_handle **out, char *why, size_t why_size);

/* Close a handle and free everything cached in it. Mappings made with it stay. NULL is allowed. */
void xc_close(struct xc_handle *h);

/*
 * The sentence for the last failure on @h, without a trailing newline; "" before the first one.
 * Valid until the next call with @h.
 */
const char *xc_error(const struct xc_handle *h);

/*
 * Memory that a hypercall may point to: locked, page-aligned, never moved or copied on write.
 * Small buffers (to 4 pages) come from a cache in the handle.
 *
 * xc_buffer_alloc() returns @size bytes of zeroes or NULL (with xc_error() set). A buffer belongs
 * to its handle and is given back with xc_buffer_free(), which takes NULL and must be given the
 * size that was asked for.
 */
void *xc_buffer_alloc(struct xc_handle *h, size_t size);
void xc_buffer_free(struct xc_handle *h, void *buffer, size_t size);

/*
 * Make any hypercall. @nr is one of __HYPERVISOR_* of <xen/xen.h>; pointers among @args must be to
 * memory of xc_buffer_alloc(). Returns what the hypervisor returned: >= 0, or a negative errno
 * value. Doesn't set xc_error().
 */
XC_MUST_CHECK long xc_hypercall(struct xc_handle *h, unsigned int nr, const uint64_t args[5]);

/* How many hypercalls and driver calls this handle has made: for measurements and tests. */
uint64_t xc_hypercall_count(const struct xc_handle *h);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_HANDLE_H */
