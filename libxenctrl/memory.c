/*
 * memory.c: a domain's reservation: giving, taking and exchanging memory.
 *
 * Read private.h first. Mapping is in map.c. Lists of frames are passed to the hypervisor in
 * batches through one hypercall buffer: the hypervisor preempts itself inside a batch, so its size
 * is a matter of the buffer only.
 */
#include "libxenctrl/private.h"

#define BATCH 16384u /* frames in one call: a buffer of 128 KiB */

_Static_assert(sizeof(xen_pfn_t) == sizeof(uint64_t), "frame numbers have 64 bits");

/* What one of the three reservation calls does. */
struct reservation {
    unsigned int cmd; /* XENMEM_* */
    uint32_t domid;
    unsigned int order, mem_flags;
};

/* One call: @count extents whose frames are in @buffer. Returns how many were done. */
static long reservation_call(struct xc_handle *h, const struct reservation *r,
                             struct xc_buffer *buffer, size_t count)
{
    struct xen_memory_reservation *arg = xc_control(h, sizeof(*arg));

    set_xen_guest_handle(arg->extent_start, (xen_pfn_t *)buffer->p);
    arg->nr_extents = count;
    arg->extent_order = r->order;
    arg->mem_flags = r->mem_flags;
    arg->domid = xc_domid(r->domid);
    return xc_memory_call(h, r->cmd, arg);
}

static const char *reservation_verb(unsigned int cmd)
{
    return cmd == XENMEM_decrease_reservation ? "can't be freed" : "can't be allocated";
}

/* @in and @out may be the same array; NULL: nothing to pass, or nothing wanted back. */
static long reservation_all(struct xc_handle *h, const struct reservation *r, const uint64_t *in,
                            uint64_t *out, size_t count)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, (count < BATCH ? count : BATCH) * sizeof(*in));
    size_t done = 0;
    long got = 0;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    while (done < count) {
        size_t n = count - done < BATCH ? count - done : BATCH;

        if (in != NULL) {
            memcpy(buffer.p, in + done, n * sizeof(*in));
        }
        got = reservation_call(h, r, &buffer, n);
        if (got <= 0) {
            break;
        }
        got = (size_t)got < n ? got : (long)n;
        if (out != NULL) {
            memcpy(out + done, buffer.p, (size_t)got * sizeof(*out));
        }
        done += (size_t)got;
        if ((size_t)got < n) {
            break;
        }
    }
    if (done < count) {
        int rc = got < 0 ? (int)got : -ENOMEM;

        (void)xc_fail(h, rc, "%zu of %zu pieces of %u KiB of domain %u's memory %s: %s.",
                      count - done, count, 4u << r->order, r->domid, reservation_verb(r->cmd),
                      xc_reason(rc));
        return done > 0 ? (long)done : rc;
    }
    return (long)done;
}

long xc_memory_populate(struct xc_handle *h, uint32_t domid, uint64_t *frames, size_t count,
                        unsigned int order, unsigned int mem_flags)
{
    const struct reservation r = {XENMEM_populate_physmap, domid, order, mem_flags};

    return reservation_all(h, &r, frames, frames, count);
}

long xc_memory_increase(struct xc_handle *h, uint32_t domid, uint64_t *frames, size_t count,
                        unsigned int order, unsigned int mem_flags)
{
    const struct reservation r = {XENMEM_increase_reservation, domid, order, mem_flags};

    return reservation_all(h, &r, NULL, frames, count);
}

long xc_memory_decrease(struct xc_handle *h, uint32_t domid, const uint64_t *frames, size_t count,
                        unsigned int order)
{
    const struct reservation r = {XENMEM_decrease_reservation, domid, order, 0};

    return reservation_all(h, &r, frames, NULL, count);
}

int xc_memory_exchange(struct xc_handle *h, uint32_t domid, const uint64_t *in, size_t in_count,
                       unsigned int in_order, uint64_t *out, size_t out_count,
                       unsigned int out_order, unsigned int address_bits)
{
    XC_SCOPED_BUFFER from = xc_buffer_new(h, in_count * sizeof(*in));
    XC_SCOPED_BUFFER to = xc_buffer_new(h, out_count * sizeof(*out));
    struct xen_memory_exchange *x;
    long r;

    if (from.p == NULL || to.p == NULL) {
        return -ENOMEM;
    }
    memcpy(from.p, in, in_count * sizeof(*in));
    memcpy(to.p, out, out_count * sizeof(*out));
    x = xc_control(h, sizeof(*x));
    set_xen_guest_handle(x->in.extent_start, (xen_pfn_t *)from.p);
    x->in.nr_extents = in_count;
    x->in.extent_order = in_order;
    x->in.domid = xc_domid(domid);
    set_xen_guest_handle(x->out.extent_start, (xen_pfn_t *)to.p);
    x->out.nr_extents = out_count;
    x->out.extent_order = out_order;
    x->out.mem_flags = XENMEMF_address_bits(address_bits);
    x->out.domid = xc_domid(domid);
    r = xc_memory_call(h, XENMEM_exchange, x);
    if (r < 0) {
        return xc_fail(h, (int)r, "%zu extents of domain %u can't be exchanged: %s.", in_count,
                       domid, xc_reason((int)r));
    }
    memcpy(out, to.p, out_count * sizeof(*out));
    return 0;
}

int xc_memory_maximum_gfn(struct xc_handle *h, uint32_t domid, uint64_t *gfn)
{
    domid_t *arg = xc_control(h, sizeof(*arg));
    long r;

    *arg = xc_domid(domid);
    r = xc_memory_call(h, XENMEM_maximum_gpfn, arg);
    if (r < 0) {
        return xc_fail(h, (int)r, "The size of domain %u's memory can't be read: %s.", domid,
                       xc_reason((int)r));
    }
    *gfn = (uint64_t)r;
    return 0;
}

int xc_memory_machphys(struct xc_handle *h, uint64_t *mfns, unsigned int max)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, max * sizeof(*mfns));
    struct xen_machphys_mfn_list *list;
    unsigned int n;
    long r;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    list = xc_control(h, sizeof(*list));
    list->max_extents = max;
    set_xen_guest_handle(list->extent_start, (xen_pfn_t *)buffer.p);
    r = xc_memory_call(h, XENMEM_machphys_mfn_list, list);
    if (r < 0) {
        return xc_fail(h, (int)r, "The machine-to-physical table can't be found: %s.",
                       xc_reason((int)r));
    }
    n = list->nr_extents < max ? list->nr_extents : max;
    memcpy(mfns, buffer.p, n * sizeof(*mfns));
    return (int)n;
}

int xc_memory_claim(struct xc_handle *h, uint32_t domid, uint64_t pages)
{
    struct xen_memory_reservation *arg = xc_control(h, sizeof(*arg));
    long r;

    arg->nr_extents = pages;
    arg->domid = xc_domid(domid);
    r = xc_memory_call(h, XENMEM_claim_pages, arg);
    if (r < 0) {
        return xc_fail(h, (int)r, "%llu MiB can't be reserved for domain %u: %s.",
                       (unsigned long long)(pages >> 8), domid, xc_reason((int)r));
    }
    return 0;
}

/* An entry of the map as the BIOS's INT 15, EAX=E820 returns it. */
struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct e820_entry) == 20, "an entry of an E820 map has 20 bytes");

int xc_domain_set_memory_map(struct xc_handle *h, uint32_t domid,
                             const struct xc_memory_range *ranges, unsigned int count)
{
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, count * sizeof(struct e820_entry));
    struct xen_foreign_memory_map *map;
    struct e820_entry *entries = buffer.p;
    long r;

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    for (unsigned int i = 0; i < count; i++) {
        entries[i] = (struct e820_entry){ranges[i].start, ranges[i].size, ranges[i].type};
    }
    map = xc_control(h, sizeof(*map));
    map->domid = xc_domid(domid);
    map->map.nr_entries = count;
    set_xen_guest_handle_raw(map->map.buffer, buffer.p);
    r = xc_memory_call(h, XENMEM_set_memory_map, map);
    if (r < 0) {
        return xc_fail(h, (int)r, "Domain %u can't be given a memory map of %u ranges: %s.", domid,
                       count, xc_reason((int)r));
    }
    return 0;
}

int xc_memory_frame_types(struct xc_handle *h, uint32_t domid, uint64_t *frames, size_t count)
{
    const size_t most = 1024; /* what Xen takes at once */
    XC_SCOPED_BUFFER buffer = xc_buffer_new(h, (count < most ? count : most) * sizeof(*frames));

    if (buffer.p == NULL) {
        return -ENOMEM;
    }
    for (size_t done = 0; done < count;) {
        struct xen_domctl *d = xc_domctl_begin(h, XEN_DOMCTL_getpageframeinfo3, domid);
        size_t n = count - done < most ? count - done : most;
        int rc;

        memcpy(buffer.p, frames + done, n * sizeof(*frames));
        d->u.getpageframeinfo3.num = n;
        set_xen_guest_handle(d->u.getpageframeinfo3.array, (xen_pfn_t *)buffer.p);
        rc = xc_domctl_named(h, "asked for the types of its frames");
        if (rc < 0) {
            return rc;
        }
        memcpy(frames + done, buffer.p, n * sizeof(*frames));
        done += n;
    }
    return 0;
}
