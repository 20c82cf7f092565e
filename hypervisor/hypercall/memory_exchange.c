/*
 * XENMEM_exchange: a domain gives frames and gets the same number of others, contiguous or at low
 * addresses. Worked in chunks of the larger extent: a chunk is exchanged whole or not at all, and
 * nr_exchanged tells the caller how far it went.
 */
#include <hospes/lib.h>
#include "memory_op.h"

struct exchange {
    struct domain *d;
    struct xen_memory_exchange args;
    unsigned int in_order,
        out_order; /* input extents, output extents per chunk, as powers of two */
    unsigned int memflags;
    struct page_list in, out; /* taken from the domain; to be given to it */
};

static int decode(struct exchange *x, XEN_GUEST_HANDLE(void) arg)
{
    const struct xen_memory_reservation *in = &x->args.in, *out = &x->args.out;
    unsigned int max;

    if (copy_from_guest(&x->args, guest_handle_cast(arg, xen_memory_exchange_t), 1)) {
        return -EFAULT;
    }
    max = memory_max_order(current->domain);
    if (in->extent_order > max || out->extent_order > max) {
        return -EPERM;
    }
    if (x->args.nr_exchanged > in->nr_extents || in->domid != out->domid ||
        (~0ul >> in->extent_order) < in->nr_extents ||
        (~0ul >> out->extent_order) < out->nr_extents ||
        in->nr_extents << in->extent_order != out->nr_extents << out->extent_order) {
        return -EINVAL;
    }
    if (!guest_handle_okay(in->extent_start, in->nr_extents) ||
        !guest_handle_okay(out->extent_start, out->nr_extents)) {
        return -EFAULT;
    }
    x->in_order = out->extent_order > in->extent_order ? out->extent_order - in->extent_order : 0;
    x->out_order = in->extent_order > out->extent_order ? in->extent_order - out->extent_order : 0;
    x->memflags = memory_flags_from_guest(out->mem_flags);
    return domain_by_guest_id_controlled(in->domid, &x->d);
}

/* Takes a chunk's frames from the domain onto x->in. */
static int steal_chunk(struct exchange *x, unsigned long chunk)
{
    for (unsigned long i = 0; i < 1ul << x->in_order; i++) {
        xen_pfn_t frame;

        if (copy_from_guest_offset(&frame, x->args.in.extent_start, (chunk << x->in_order) + i,
                                   1)) {
            return -EFAULT;
        }
        for (unsigned long j = 0; j < 1ul << x->args.in.extent_order; j++) {
            struct page_info *pg;
            mfn_t m;
            int rc = get_guest_frame(x->d, gfn(frame + j), false, &pg, &m);

            if (rc) {
                return -EINVAL;
            }
            /* Stealing wants to see the owner's reference only; the page stays the domain's
             * meanwhile, or else stealing fails. */
            put_page(pg);
            rc = steal_page(x->d, pg, MEMF_FLUSH_LATER);
            if (rc) {
                return rc;
            }
            page_list_add_tail(pg, &x->in);
        }
    }
    return 0;
}

static int alloc_chunk(struct exchange *x)
{
    for (unsigned long i = 0; i < 1ul << x->out_order; i++) {
        struct page_info *pg = alloc_frames(x->args.out.extent_order, x->memflags);

        if (!pg) {
            return -ENOMEM;
        }
        page_list_add_tail(pg, &x->out);
    }
    return 0;
}

static struct page_info *pop(struct page_list *l)
{
    struct page_info *pg = page_list_first(l);

    if (pg) {
        page_list_del(pg, l);
    }
    return pg;
}

/* Nothing of a failed chunk is kept. What was taken cannot always be given back: the domain may be
 * dying, or another of its vcpus may have used up its allowance meanwhile. */
static void undo_chunk(struct exchange *x)
{
    struct page_info *pg;

    while ((pg = pop(&x->in)) != NULL) {
        if (assign_pages(pg, 0, x->d, 0)) {
            free_frames(pg, 0);
        }
    }
    while ((pg = pop(&x->out)) != NULL) {
        free_frames(pg, x->args.out.extent_order);
    }
}

static void free_stolen(struct exchange *x)
{
    struct page_info *pg;

    while ((pg = pop(&x->in)) != NULL) {
        mfn_t m = page_to_mfn(pg);

        if (x->d->is_hvm) {
            if (arch_physmap_remove(x->d, gfn(get_gpfn_from_mfn(m)), m, 0)) {
                domain_crash(x->d, "exchange: a frame was not in the physmap\n");
            }
        } else {
            set_gpfn_from_mfn(m, INVALID_M2P_ENTRY);
        }
        free_frames(pg, 0);
    }
}

/* From here the chunk cannot fail as a whole; a list that cannot be read or written is the caller's
 * loss. */
static int assign_chunk(struct exchange *x, unsigned long chunk)
{
    unsigned int order = x->args.out.extent_order;
    struct page_info *pg;
    int rc = 0;

    for (unsigned long i = 0; (pg = pop(&x->out)) != NULL; i++) {
        unsigned long at = (chunk << x->out_order) + i;
        xen_pfn_t frame;

        if (assign_pages(pg, order, x->d, 0)) {
            free_frames(pg, order);
            rc = -EINVAL; /* dying */
            continue;
        }
        if (copy_from_guest_offset(&frame, x->args.out.extent_start, at, 1) ||
            memory_name_frames(x->d, frame, pg, order)) {
            rc = -EFAULT;
            continue;
        }
        frame = page_to_mfn(pg).v;
        if (!x->d->is_hvm && copy_to_guest_offset(x->args.out.extent_start, at, &frame, 1)) {
            rc = -EFAULT;
        }
    }
    return rc;
}

static int exchange_chunk(struct exchange *x, unsigned long chunk)
{
    int rc;

    page_list_init(&x->in);
    page_list_init(&x->out);
    rc = steal_chunk(x, chunk);
    if (!rc) {
        rc = alloc_chunk(x);
    }
    if (rc) {
        undo_chunk(x);
        return rc;
    }
    free_stolen(x);
    return assign_chunk(x, chunk);
}

long memory_exchange(XEN_GUEST_HANDLE(void) arg)
{
    XEN_GUEST_HANDLE(xen_memory_exchange_t) user = guest_handle_cast(arg, xen_memory_exchange_t);
    struct exchange x;
    int rc = decode(&x, arg);

    if (rc == -EFAULT) {
        return rc;
    }
    for (unsigned long c = x.args.nr_exchanged >> x.in_order, first = c;
         !rc && x.args.nr_exchanged < x.args.in.nr_extents; c++) {
        if (c != first && hypercall_preempt_check()) {
            if (copy_field_to_guest(user, &x.args, nr_exchanged)) {
                return -EFAULT;
            }
            return (long)hypercall_create_continuation(__HYPERVISOR_memory_op, "lh",
                                                       XENMEM_exchange, guest_handle_addr(arg));
        }
        rc = exchange_chunk(&x, c);
        if (!rc) {
            x.args.nr_exchanged = (c + 1) << x.in_order;
        }
    }
    if (copy_field_to_guest(user, &x.args, nr_exchanged)) {
        rc = -EFAULT;
    }
    return rc;
}
