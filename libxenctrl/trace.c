/*
 * trace.c: the trace buffers. Read private.h, and struct t_info, t_buf and t_rec of <xen/trace.h>.
 *
 * Each CPU's buffer is a ring of bytes; a record never wraps: fillers make up for that. Indices run
 * to twice the size of the data. The hypervisor is trusted, but not to be free of errors: an index
 * or a record that can't be ends the reading of that buffer.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "libxenctrl/private.h"
#include <xen/trace.h>

#define MOST_PAGES 65536u /* of t_info and of a buffer: keeps a wrong answer small */
#define MOST_CPUS  1024u

struct ring {
    struct t_buf *buf; /* NULL: this CPU has none */
    bool broken;
};

struct xc_trace {
    struct xc_handle *h;
    struct t_info *info;
    size_t info_pages;
    uint32_t pages, size; /* of each buffer; its data in bytes */
    struct ring rings[MOST_CPUS];
};

static int control(struct xc_handle *h, uint32_t cmd, uint32_t size, uint32_t events)
{
    struct xen_sysctl *s = xc_sysctl_begin(h, XEN_SYSCTL_tbuf_op);

    s->u.tbuf_op.cmd = cmd;
    s->u.tbuf_op.size = size;
    s->u.tbuf_op.evt_mask = events;
    return xc_sysctl(h);
}

static int trace_failed(struct xc_handle *h, int rc)
{
    return xc_fail(h, rc, "The hypervisor's trace can't be had: %s.", xc_reason(rc));
}

static void *map_pages(struct xc_handle *h, const uint32_t *mfns, uint64_t first, size_t count)
{
    uint64_t *frames = calloc(count, sizeof(*frames));
    void *mapped;

    if (frames == NULL) {
        (void)xc_fail(h, -ENOMEM, "There is no memory for a trace.");
        errno = ENOMEM;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        frames[i] = mfns != NULL ? mfns[i] : first + i;
    }
    mapped = xc_map_foreign(h, DOMID_XEN, PROT_READ | PROT_WRITE, frames, count, NULL);
    free(frames);
    return mapped;
}

static int map_info(struct xc_trace *t)
{
    struct xen_sysctl *s = xc_sysctl_begin(t->h, XEN_SYSCTL_tbuf_op);
    uint64_t mfn;
    int rc;

    s->u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_get_info;
    rc = xc_sysctl(t->h);
    if (rc < 0) {
        return trace_failed(t->h, rc);
    }
    mfn = s->u.tbuf_op.buffer_mfn;
    t->info_pages = s->u.tbuf_op.size / XC_PAGE_SIZE;
    if (mfn == 0 || t->info_pages == 0 || t->info_pages > MOST_PAGES) {
        return trace_failed(t->h, -EINVAL);
    }
    t->info = map_pages(t->h, NULL, mfn, t->info_pages);
    return t->info != NULL ? 0 : -errno;
}

/* Maps every buffer that t_info lists, and begins behind what is in it. */
static int map_rings(struct xc_trace *t, uint32_t nr_cpus)
{
    size_t words = t->info_pages * XC_PAGE_SIZE / 4;

    t->pages = t->info->tbuf_size;
    if (t->pages == 0) {
        return trace_failed(t->h, -EINVAL);
    }
    t->size = t->pages * XC_PAGE_SIZE - (uint32_t)sizeof(struct t_buf);
    for (uint32_t cpu = 0; cpu < nr_cpus && cpu < MOST_CPUS; cpu++) {
        uint32_t at = t->info->mfn_offset[cpu];

        if (at == 0 || at + t->pages > words) {
            continue;
        }
        t->rings[cpu].buf = map_pages(t->h, (uint32_t *)t->info + at, 0, t->pages);
        if (t->rings[cpu].buf == NULL) {
            return -errno;
        }
        t->rings[cpu].buf->cons = __atomic_load_n(&t->rings[cpu].buf->prod, __ATOMIC_ACQUIRE);
    }
    return 0;
}

int xc_trace_open(struct xc_handle *h, unsigned int pages, uint32_t events, struct xc_trace **out)
{
    struct xc_trace *t = calloc(1, sizeof(*t));
    struct xc_host_info host;
    int rc = t != NULL ? xc_host_get_info(h, &host) : xc_fail(h, -ENOMEM, "There is no memory.");

    if (rc < 0) {
        free(t);
        return rc;
    }
    t->h = h;
    rc = control(h, XEN_SYSCTL_TBUFOP_set_size, pages, 0);
    if (rc < 0 && rc != -EINVAL) { /* another size than asked for will do */
        rc = trace_failed(h, rc);
    } else {
        rc = map_info(t);
    }
    rc = rc < 0 ? rc : map_rings(t, host.max_cpu_id + 1);
    if (rc == 0) {
        rc = control(h, XEN_SYSCTL_TBUFOP_set_evt_mask, 0, events);
        rc = rc < 0 ? rc : control(h, XEN_SYSCTL_TBUFOP_enable, 0, 0);
        rc = rc < 0 ? trace_failed(h, rc) : 0;
    }
    if (rc < 0) {
        xc_trace_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

static uint32_t in_ring(const struct xc_trace *t, uint32_t index)
{
    return index >= t->size ? index - t->size : index;
}

static uint32_t after(const struct xc_trace *t, uint32_t index, uint32_t bytes)
{
    index += bytes;
    return index >= 2 * t->size ? index - 2 * t->size : index;
}

/*
 * Decodes the record at the head of a ring; its size in bytes, or 0: there is none, or nonsense
 * (the ring is then given up).
 */
static uint32_t peek(struct xc_trace *t, uint32_t cpu, struct xc_trace_record *r)
{
    struct ring *ring = &t->rings[cpu];
    uint32_t prod, cons, size, header, available;
    const uint32_t *from;

    if (ring->buf == NULL || ring->broken) {
        return 0;
    }
    prod = __atomic_load_n(&ring->buf->prod, __ATOMIC_ACQUIRE);
    cons = ring->buf->cons;
    if (prod == cons) {
        return 0;
    }
    available = prod > cons ? prod - cons : prod + 2 * t->size - cons;
    if (prod >= 2 * t->size || cons >= 2 * t->size || cons % 4 != 0 || available > t->size) {
        ring->broken = true;
        return 0;
    }
    from = (const uint32_t *)((const char *)(ring->buf + 1) + in_ring(t, cons));
    header = from[0];
    *r = (struct xc_trace_record){
        .cpu = cpu, .event = header & 0x0fffffff, .nr_words = header >> 28 & 7};
    size = 4 + (header >> 31 ? 8 : 0) + 4 * r->nr_words;
    if (size > available || in_ring(t, cons) + size > t->size) {
        ring->broken = true;
        return 0;
    }
    from++;
    if (header >> 31) {
        r->time = from[0] | (uint64_t)from[1] << 32;
        from += 2;
    }
    memcpy(r->words, from, 4 * r->nr_words);
    return size;
}

static void consume(struct xc_trace *t, uint32_t cpu, uint32_t size)
{
    struct t_buf *buf = t->rings[cpu].buf;

    __atomic_store_n(&buf->cons, after(t, buf->cons, size), __ATOMIC_RELEASE);
}

int xc_trace_next(struct xc_trace *t, struct xc_trace_record *record)
{
    struct xc_trace_record r;
    uint32_t best_size = 0;

    for (uint32_t cpu = 0; cpu < MOST_CPUS; cpu++) {
        uint32_t size = peek(t, cpu, &r);

        while (size != 0 && r.event == TRC_TRACE_WRAP_BUFFER) {
            consume(t, cpu, size);
            size = peek(t, cpu, &r);
        }
        if (size != 0 && (best_size == 0 || r.time < record->time)) {
            *record = r;
            best_size = size;
        }
    }
    if (best_size == 0) {
        return 0;
    }
    consume(t, record->cpu, best_size);
    return 1;
}

void xc_trace_close(struct xc_trace *t)
{
    if (t == NULL) {
        return;
    }
    (void)control(t->h, XEN_SYSCTL_TBUFOP_disable, 0, 0);
    for (uint32_t cpu = 0; cpu < MOST_CPUS; cpu++) {
        xc_unmap(t->rings[cpu].buf, t->pages);
    }
    xc_unmap(t->info, t->info_pages);
    free(t);
}
