/*
 * Trace buffers. Read <hospes/trace.h>, and struct t_rec, t_buf and t_info of <xen/trace.h>.
 *
 * The pages are shared with Domain 0, which may scribble on them: what is produced is counted here,
 * and Domain 0's index is checked before it is used. Buffers, once made, stay: a reader may have
 * them mapped for as long as it lives.
 */
#include <hospes/arch.h>
#include <hospes/cpumask.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/lock.h>
#include <hospes/memory.h>
#include <hospes/percpu.h>
#include <hospes/sched.h>
#include <hospes/time.h>
#include <hospes/trace.h>

#define MAX_PAGES  256u /* of each CPU's buffer */
#define MAX_WORDS  7u
#define MAX_RECORD (4u + 8u + 4u * MAX_WORDS)

struct trace_cpu {
    struct t_buf *buf; /* NULL: not made */
    uint32_t prod;     /* what buf->prod is, whatever Domain 0 writes there */
    uint32_t lost;
    uint64_t first_lost; /* when */
};
static DEFINE_PER_CPU(struct trace_cpu, trace_cpu);

bool trace_on;
static uint32_t event_mask = TRC_ALL;
static uint64_t cpu_mask = ~0ull;
static uint32_t data_size;  /* of each buffer, bytes */
static struct t_info *info; /* NULL: nothing is made */
static unsigned int info_pages;

/* ---- writing: interrupts off, on the buffer's own CPU ---- */

/* Class and subclass must both be wanted. */
static bool wanted(uint32_t event)
{
    uint32_t mask = READ_ONCE(event_mask);

    return ((mask & event) >> TRC_CLS_SHIFT) != 0 &&
           ((mask & event) >> TRC_SUBCLS_SHIFT & 0xf) != 0 &&
           (READ_ONCE(cpu_mask) >> smp_processor_id() & 1);
}

static uint32_t record_size(unsigned int n, bool timed)
{
    return (uint32_t)sizeof(uint32_t) * (1 + (timed ? 2u : 0u) + n);
}

static void *place(const struct trace_cpu *tc, uint32_t at)
{
    uint32_t offset = at >= data_size ? at - data_size : at;

    return (uint8_t *)(tc->buf + 1) + offset;
}

static uint32_t until_end(uint32_t at)
{
    return data_size - (at >= data_size ? at - data_size : at);
}

static void advance(struct trace_cpu *tc, uint32_t n)
{
    tc->prod += n;
    if (tc->prod >= 2 * data_size) {
        tc->prod -= 2 * data_size;
    }
    __atomic_store_n(&tc->buf->prod, tc->prod, __ATOMIC_RELEASE);
}

/* The record must lie in one piece: the caller has made sure of it. `time` 0: none. */
static void put(struct trace_cpu *tc, uint32_t event, uint64_t time, unsigned int n,
                const uint32_t *words)
{
    uint32_t *to = place(tc, tc->prod);

    *to++ = (event & 0x0fffffff) | (uint32_t)n << 28 | (time ? 1u << 31 : 0);
    if (time) {
        *to++ = (uint32_t)time;
        *to++ = (uint32_t)(time >> 32);
    }
    for (unsigned int i = 0; i < n; i++) {
        to[i] = words[i];
    }
    advance(tc, record_size(n, time != 0));
}

/* Fills what is left before the buffer's end: at most MAX_RECORD - 4 bytes. */
static void fill_end(struct trace_cpu *tc, uint32_t bytes)
{
    static const uint32_t zero[MAX_WORDS];
    bool timed = bytes > record_size(MAX_WORDS, false);
    unsigned int n = (bytes - record_size(0, timed)) / 4;

    put(tc, TRC_TRACE_WRAP_BUFFER, timed ? 1 : 0, n, zero);
}

/* Bytes that are free; 0 where Domain 0's index makes no sense. */
static uint32_t room(const struct trace_cpu *tc)
{
    uint32_t cons = __atomic_load_n(&tc->buf->cons, __ATOMIC_ACQUIRE), used;

    if (cons >= 2 * data_size || cons % 4 != 0) {
        return 0;
    }
    used = tc->prod >= cons ? tc->prod - cons : tc->prod + 2 * data_size - cons;
    return used <= data_size ? data_size - used : 0;
}

static void put_whole(struct trace_cpu *tc, uint32_t event, uint64_t time, unsigned int n,
                      const uint32_t *words)
{
    uint32_t left = until_end(tc->prod);

    if (left < record_size(n, time != 0)) {
        fill_end(tc, left);
    }
    put(tc, event, time, n, words);
}

static void put_lost(struct trace_cpu *tc)
{
    const struct vcpu *v = current;
    const uint32_t words[] = {tc->lost, v->domain->domain_id | (uint32_t)v->vcpu_id << 16,
                              (uint32_t)tc->first_lost, (uint32_t)(tc->first_lost >> 32)};

    put_whole(tc, TRC_LOST_RECORDS, 0, ARRAY_SIZE(words), words);
    tc->lost = 0;
}

void trace_record(uint32_t event, unsigned int n, const uint32_t *words)
{
    struct trace_cpu *tc;
    unsigned long flags;
    uint64_t now = (uint64_t)NOW();

    if (n > MAX_WORDS || !wanted(event)) {
        return;
    }
    flags = local_irq_save();
    tc = &this_cpu(trace_cpu);
    /* Room for the worst: two records and what is wasted before the end, twice. */
    if (!__atomic_load_n(&tc->buf, __ATOMIC_ACQUIRE)) {
        /* this CPU came later than the buffers */
    } else if (room(tc) < 4 * MAX_RECORD) {
        tc->first_lost = tc->lost++ ? tc->first_lost : now;
    } else {
        if (tc->lost) {
            put_lost(tc);
        }
        put_whole(tc, event, now, n, words);
    }
    local_irq_restore(flags);
}

/* ---- control: Domain 0's, one at a time ---- */

static spinlock_t control_lock = SPINLOCK_INIT(RANK_DOMCTL);

static void *shared_pages(unsigned int nr)
{
    unsigned int order = 0;
    void *va;

    while ((1u << order) < nr) {
        order++;
    }
    va = alloc_xenheap_pages(order, 0);
    for (unsigned int i = 0; va && i < 1u << order; i++) {
        share_xen_page_with_guest(virt_to_page((uint8_t *)va + i * PAGE_SIZE), dom_xen, SHARE_RW);
    }
    return va;
}

/* Fills in where the pages of `cpu` are; the list begins at word `at` of the info structure. */
static void list_pages(unsigned int cpu, uint32_t at, struct t_buf *buf, unsigned int pages)
{
    uint32_t *words = (uint32_t *)info;

    info->mfn_offset[cpu] = (uint16_t)at;
    for (unsigned int i = 0; i < pages; i++) {
        words[at + i] = (uint32_t)virt_to_mfn((uint8_t *)buf + i * PAGE_SIZE).v;
    }
}

static int make_buffers(unsigned int pages)
{
    uint32_t header = (uint32_t)DIV_ROUND_UP(sizeof(*info) + NR_CPUS * sizeof(uint16_t), 4);
    unsigned int nr = 0, cpu;

    if (info) {
        return info->tbuf_size == pages ? 0 : -EINVAL;
    }
    if (pages == 0 || pages > MAX_PAGES) {
        return -EINVAL;
    }
    info_pages = (unsigned int)DIV_ROUND_UP((header + NR_CPUS * pages) * 4, PAGE_SIZE);
    info = shared_pages(info_pages);
    if (!info) {
        return -ENOMEM;
    }
    info->tbuf_size = (uint16_t)pages;
    data_size = pages * (uint32_t)PAGE_SIZE - (uint32_t)sizeof(struct t_buf);
    for_each_online_cpu (cpu) {
        struct t_buf *buf = shared_pages(pages);

        if (!buf) {
            break; /* this CPU and those behind it are not traced: mfn_offset 0 says so */
        }
        list_pages(cpu, header + nr++ * pages, buf, pages);
        __atomic_store_n(&per_cpu(trace_cpu, cpu).buf, buf, __ATOMIC_RELEASE);
    }
    return nr ? 0 : -ENOMEM;
}

static int get_info(struct xen_sysctl_tbuf_op *op)
{
    op->evt_mask = event_mask;
    op->buffer_mfn = info ? virt_to_mfn(info).v : 0;
    op->size = info_pages * (uint32_t)PAGE_SIZE;
    return 0;
}

void trace_set_cpus(uint64_t mask)
{
    WRITE_ONCE(cpu_mask, mask);
}

int trace_control(struct xen_sysctl_tbuf_op *op)
{
    LOCKED(&control_lock);
    switch (op->cmd) {
    case XEN_SYSCTL_TBUFOP_get_info:
        return get_info(op);
    case XEN_SYSCTL_TBUFOP_set_evt_mask:
        WRITE_ONCE(event_mask, op->evt_mask);
        return 0;
    case XEN_SYSCTL_TBUFOP_set_size:
        return make_buffers(op->size);
    case XEN_SYSCTL_TBUFOP_enable:
        WRITE_ONCE(trace_on, info != NULL);
        return info ? 0 : -EINVAL;
    case XEN_SYSCTL_TBUFOP_disable:
        WRITE_ONCE(trace_on, false);
        return 0;
    default:
        return -EINVAL;
    }
}
