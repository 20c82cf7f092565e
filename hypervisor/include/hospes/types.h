/*
 * The basic types. Frame numbers and addresses of different spaces are different structs:
 * mixing them does not compile. Units are in the names: *fn_t are frame numbers (4 KiB frames).
 */
#ifndef HOSPES_TYPES_H
#define HOSPES_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hospes/compiler.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

typedef struct {
    uint64_t v;
} mfn_t; /* machine frame number */
typedef struct {
    uint64_t v;
} gfn_t; /* guest frame number: for a PV guest the same as an mfn, for HVM its physical frame */
typedef struct {
    uint64_t v;
} paddr_t; /* machine physical address in bytes */

#define MFN_NONE ((mfn_t){~0ull})
#define GFN_NONE ((gfn_t){~0ull})

static inline mfn_t mfn(uint64_t v)
{
    return (mfn_t){v};
}
static inline gfn_t gfn(uint64_t v)
{
    return (gfn_t){v};
}
static inline paddr_t paddr(uint64_t v)
{
    return (paddr_t){v};
}
static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.v == b.v;
}
static inline bool gfn_eq(gfn_t a, gfn_t b)
{
    return a.v == b.v;
}
static inline mfn_t mfn_add(mfn_t m, uint64_t n)
{
    return (mfn_t){m.v + n};
}
static inline bool mfn_is_none(mfn_t m)
{
    return m.v == ~0ull;
}
static inline paddr_t mfn_to_paddr(mfn_t m)
{
    return (paddr_t){m.v << PAGE_SHIFT};
}
static inline mfn_t paddr_to_mfn(paddr_t p)
{
    return (mfn_t){p.v >> PAGE_SHIFT};
}

/* Times are signed nanoseconds since the hypervisor started (see time.h). */
typedef int64_t s_time_t;

/* domid_t, evtchn_port_t, grant_ref_t, ... come from the ABI: */
#include <xen/xen.h>

struct domain;
struct vcpu;
struct page_info;
struct cpu_user_regs;

#endif
