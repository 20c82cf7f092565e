/* memory_op: shared between its files (memory_op.c dispatches). */
#ifndef HYPERCALL_MEMORY_OP_H
#define HYPERCALL_MEMORY_OP_H

#include <hospes/arch.h>
#include <hospes/errno.h>
#include <hospes/hypercall.h>
#include <hospes/memory.h>
#include <arch/current.h>

/* The command's number is in the low bits; the rest of `cmd` is where a continuation goes on. */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK     ((1ul << MEMOP_EXTENT_SHIFT) - 1)
#define MEMOP_MAX_EXTENTS  (~0u >> MEMOP_EXTENT_SHIFT)

/* increase_reservation, decrease_reservation, populate_physmap: the number of extents done, never
 * an error; preempted: the continuation's. */
long memory_reservation(unsigned int op, unsigned long start, XEN_GUEST_HANDLE(void) arg);
long memory_exchange(XEN_GUEST_HANDLE(void) arg);
long memory_acquire_resource(unsigned long start, XEN_GUEST_HANDLE(void) arg);

/* The largest extent that a domain may ask for. */
unsigned int memory_max_order(const struct domain *d);
/* XENMEMF_* of the guest to MEMF_*. */
unsigned int memory_flags_from_guest(unsigned int mem_flags);

/* A guest frame number for 1 << order frames from pg on: m2p, and the physmap of translated guests.
 */
int memory_name_frames(struct domain *d, uint64_t first_gfn, struct page_info *pg,
                       unsigned int order) __must_check;

#endif
