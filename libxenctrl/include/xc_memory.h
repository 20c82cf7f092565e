/*
 * xc_memory.h: a domain's memory: its reservation, and mapping it into the caller's address space.
 *
 * Read xenctrl.h first: its conventions hold here. Extents are 2^order contiguous, aligned frames.
 */
#ifndef HOSPES_XC_MEMORY_H
#define HOSPES_XC_MEMORY_H

#include "libxenctrl/include/xc_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Give a domain @count extents at the guest frames in @frames; for a PV domain the array is then
 * overwritten with the machine frames that were allocated. All or nothing is not promised: returns
 * how many extents were populated (from the front of the array), or a negative errno value when
 * there was none. Large requests are made in batches.
 */
XC_MUST_CHECK long xc_memory_populate(struct xc_handle *h, uint32_t domid, uint64_t *frames,
                                      size_t count, unsigned int order, unsigned int mem_flags);

/* As xc_memory_populate(), without a place in the guest: the machine frames are written to @frames.
 */
XC_MUST_CHECK long xc_memory_increase(struct xc_handle *h, uint32_t domid, uint64_t *frames,
                                      size_t count, unsigned int order, unsigned int mem_flags);

/* Take the extents at @frames away. Returns how many were freed, or a negative errno value. */
XC_MUST_CHECK long xc_memory_decrease(struct xc_handle *h, uint32_t domid, const uint64_t *frames,
                                      size_t count, unsigned int order);

/*
 * Exchange extents @in for @out (guest frames on entry, new machine frames on return) at once, for
 * example many single frames for a contiguous extent below 4 GiB (@address_bits 32; 0: anywhere).
 */
XC_MUST_CHECK int xc_memory_exchange(struct xc_handle *h, uint32_t domid, const uint64_t *in,
                                     size_t in_count, unsigned int in_order, uint64_t *out,
                                     size_t out_count, unsigned int out_order,
                                     unsigned int address_bits);

/* The highest guest frame that a domain has used so far. */
XC_MUST_CHECK int xc_memory_maximum_gfn(struct xc_handle *h, uint32_t domid, uint64_t *gfn);

/*
 * Frames of the machine-to-physical table, one for each 2 MiB of it, at most @max of them. Returns
 * how many were written or a negative errno value.
 */
XC_MUST_CHECK int xc_memory_machphys(struct xc_handle *h, uint64_t *mfns, unsigned int max);

/*
 * Reserve @pages for a domain to be built, without allocating them; 0 cancels. -ENOMEM: there isn't
 * as much.
 */
XC_MUST_CHECK int xc_memory_claim(struct xc_handle *h, uint32_t domid, uint64_t pages);

/* A caller's own memory for xc_domain_set_memory_map(): see XENMEM_set_memory_map. */
struct xc_memory_range {
    uint64_t start, size; /* bytes */
    uint32_t type;        /* 1 RAM, 2 reserved */
};
/* What the guest gets when it asks for its memory map. At most 128 ranges. */
XC_MUST_CHECK int xc_domain_set_memory_map(struct xc_handle *h, uint32_t domid,
                                           const struct xc_memory_range *ranges,
                                           unsigned int count);

/*
 * Map @count frames of a domain at consecutive addresses.
 *
 * @prot    PROT_READ, PROT_WRITE
 * @errors  NULL: fail if any frame can't be mapped. Otherwise an array of @count that gets 0 or a
 *          negative errno value for each; touching a page that failed is a SIGBUS.
 *
 * Returns the address, or NULL with xc_error() set and errno the cause. Unmap with xc_unmap().
 */
void *xc_map_foreign(struct xc_handle *h, uint32_t domid, int prot, const uint64_t *frames,
                     size_t count, int *errors);

/* Map one frame. As xc_map_foreign(). */
void *xc_map_frame(struct xc_handle *h, uint32_t domid, int prot, uint64_t frame);

/*
 * Map @count frames of a resource (XENMEM_resource_* of <xen/memory.h>), from frame @first. As
 * xc_map_foreign(); errno is EOPNOTSUPP where kernel or hypervisor cannot do it.
 */
void *xc_map_resource(struct xc_handle *h, uint32_t domid, unsigned int type, unsigned int id,
                      uint64_t first, size_t count, int prot);

/* Undo one of the three, whole. NULL is allowed. */
void xc_unmap(void *address, size_t count);

/*
 * The types of @count machine frames of a domain, each replaced in place by XEN_DOMCTL_PFINFO_*
 * (bits 28-31).
 */
XC_MUST_CHECK int xc_memory_frame_types(struct xc_handle *h, uint32_t domid, uint64_t *frames,
                                        size_t count);

#ifdef __cplusplus
}
#endif

#endif /* HOSPES_XC_MEMORY_H */
