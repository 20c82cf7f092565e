/*
 * Giving memory to a domain and taking it: XENMEM_increase_reservation, _decrease_reservation and
 * _populate_physmap. Lists of extents are read one entry at a time; whatever goes wrong ends the
 * work and the caller learns how many extents were done.
 */
#include <hospes/lib.h>
#include "memory_op.h"

struct reservation {
    struct domain *d;
    XEN_GUEST_HANDLE(xen_pfn_t) list;
    unsigned int order, memflags;
    unsigned long nr;
};

/* Domain 0 builds others out of large extents; a guest gets at most what a superpage is. */
unsigned int memory_max_order(const struct domain *d)
{
    return d->is_privileged ? 18 : d->is_hardware ? 12 : 9;
}

unsigned int memory_flags_from_guest(unsigned int mem_flags)
{
    return MEMF_ADDR_BITS(XENMEMF_get_address_bits(mem_flags));
}

int memory_name_frames(struct domain *d, uint64_t first_gfn, struct page_info *pg,
                       unsigned int order)
{
    if (d->is_hvm) {
        return arch_physmap_add(d, gfn(first_gfn), page_to_mfn(pg), order);
    }
    for (unsigned long i = 0; i < 1ul << order; i++) {
        set_gpfn_from_mfn(page_to_mfn(pg + i), first_gfn + i);
    }
    return 0;
}

/* One extent of new memory; the guest learns its machine frame where it asked. False: no. */
static bool increase_one(const struct reservation *r, unsigned long i)
{
    struct page_info *pg = alloc_domheap_pages(r->d, r->order, r->memflags);
    xen_pfn_t frame;

    if (!pg) {
        return false;
    }
    frame = page_to_mfn(pg).v;
    return r->d->is_hvm || guest_handle_is_null(r->list) ||
           !copy_to_guest_offset(r->list, i, &frame, 1);
}

static bool populate_one(const struct reservation *r, unsigned long i)
{
    struct page_info *pg;
    xen_pfn_t frame;

    if (copy_from_guest_offset(&frame, r->list, i, 1)) {
        return false;
    }
    pg = alloc_domheap_pages(r->d, r->order, r->memflags);
    if (!pg || memory_name_frames(r->d, frame, pg, r->order)) {
        return false;
    }
    frame = page_to_mfn(pg).v;
    return r->d->is_hvm || !copy_to_guest_offset(r->list, i, &frame, 1);
}

/* The owner gives a page up. It lives on while somebody maps it. */
static bool remove_frame(struct domain *d, uint64_t frame)
{
    struct page_info *pg;
    mfn_t m;

    if (get_guest_frame(d, gfn(frame), false, &pg, &m)) {
        return false;
    }
    if (d->is_hvm) {
        if (arch_physmap_remove(d, gfn(frame), m, 0)) {
            put_page(pg);
            return false;
        }
    } else {
        set_gpfn_from_mfn(m, INVALID_M2P_ENTRY);
    }
    put_page_alloc_ref(pg);
    put_page(pg);
    return true;
}

static bool decrease_one(const struct reservation *r, unsigned long i)
{
    xen_pfn_t frame;

    if (copy_from_guest_offset(&frame, r->list, i, 1)) {
        return false;
    }
    for (unsigned long j = 0; j < 1ul << r->order; j++) {
        if (!remove_frame(r->d, frame + j)) {
            return false;
        }
    }
    return true;
}

/* Checks everything that can be checked before anything is done. */
static bool decode(unsigned int op, unsigned long start, XEN_GUEST_HANDLE(void) arg,
                   struct reservation *r)
{
    struct xen_memory_reservation in;
    bool list_optional = op == XENMEM_increase_reservation;

    if (copy_from_guest(&in, guest_handle_cast(arg, xen_memory_reservation_t), 1) ||
        in.nr_extents > MEMOP_MAX_EXTENTS || start >= in.nr_extents ||
        domain_by_guest_id_controlled(in.domid, &r->d) ||
        in.extent_order > memory_max_order(current->domain)) {
        return false;
    }
    r->list = in.extent_start;
    r->nr = in.nr_extents;
    r->order = in.extent_order;
    r->memflags = memory_flags_from_guest(in.mem_flags);
    if (in.mem_flags & XENMEMF_populate_on_demand) {
        return false; /* for translated guests only */
    }
    return (list_optional && guest_handle_is_null(r->list)) || guest_handle_okay(r->list, r->nr);
}

long memory_reservation(unsigned int op, unsigned long start, XEN_GUEST_HANDLE(void) arg)
{
    struct reservation r;
    unsigned long i;

    if (!decode(op, start, arg, &r)) {
        return (long)start;
    }
    for (i = start; i < r.nr; i++) {
        bool done;

        if (i != start && hypercall_preempt_check()) {
            return (long)hypercall_create_continuation(__HYPERVISOR_memory_op, "lh",
                                                       op | (i << MEMOP_EXTENT_SHIFT),
                                                       guest_handle_addr(arg));
        }
        if (op == XENMEM_increase_reservation) {
            done = increase_one(&r, i);
        } else if (op == XENMEM_decrease_reservation) {
            done = decrease_one(&r, i);
        } else {
            done = populate_one(&r, i);
        }
        if (!done) {
            break;
        }
    }
    return (long)i;
}
