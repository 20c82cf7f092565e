/* An ordinary guest's console, store and clock. Contract: domu.h. */
#include "domu.h"

struct xencons_interface *domu_console;
struct xenstore_domain_interface *domu_store;

/*
 * Where the list of frames is, for who dumps this guest: a frame with the frames of frames of the
 * frames of the list. One of the second kind is enough for 1 GiB.
 */
static void publish_frames(void)
{
    unsigned long *first = alloc_page(), *second = alloc_page();
    unsigned long pages = (start_info->nr_pages + 511) / 512;

    for (unsigned long i = 0; i < pages && i < 512; i++) {
        second[i] = virt_to_mfn((char *)start_info->mfn_list + i * PAGE_SIZE);
    }
    first[0] = virt_to_mfn(second);
    shared_info->arch.max_pfn = start_info->nr_pages;
    shared_info->arch.pfn_to_mfn_frame_list_list = virt_to_mfn(first);
}

void domu_init(void)
{
    publish_frames();
    domu_store = mfn_to_virt(start_info->store_mfn);
    domu_console = mfn_to_virt(start_info->console.domU.mfn);
}

static void notify(evtchn_port_t port)
{
    struct evtchn_send s = {.port = port};

    hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &s);
}

static void yield(void)
{
    hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield);
}

/* ---- text ---- */

char *put_text(char *at, const char *text)
{
    size_t n = strlen(text);

    memcpy(at, text, n + 1);
    return at + n;
}

char *put_decimal(char *at, unsigned long number)
{
    char digits[24];
    unsigned int n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (n) {
        *at++ = digits[--n];
    }
    *at = '\0';
    return at;
}

/* ---- console ---- */

static void put_console(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t prod = domu_console->out_prod;

        while (prod - __atomic_load_n(&domu_console->out_cons, __ATOMIC_ACQUIRE) >=
               sizeof(domu_console->out)) {
            notify(start_info->console.domU.evtchn);
            yield();
        }
        domu_console->out[MASK_XENCONS_IDX(prod, domu_console->out)] = text[i];
        __atomic_store_n(&domu_console->out_prod, prod + 1, __ATOMIC_RELEASE);
    }
    notify(start_info->console.domU.evtchn);
}

void say(const char *fmt, ...)
{
    char line[200], *at = line;
    va_list args;

    va_start(args, fmt);
    for (; *fmt && at < line + sizeof(line) - 32; fmt++) {
        long v;

        if (*fmt != '%') {
            *at++ = *fmt;
        } else if (*++fmt == 's') {
            at = put_text(at, va_arg(args, const char *));
        } else if (*fmt == 'l') { /* %ld, %lu */
            v = va_arg(args, long);
            fmt++;
            if (*fmt == 'd' && v < 0) {
                *at++ = '-';
                v = -v;
            }
            at = put_decimal(at, (unsigned long)v);
        } else { /* %u */
            at = put_decimal(at, va_arg(args, unsigned int));
        }
    }
    va_end(args);
    at = put_text(at, "\r\n");
    put_console(line, (size_t)(at - line));
}

/* ---- time ---- */

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

uint64_t now_ns(void)
{
    const volatile struct vcpu_time_info *t = &shared_info->vcpu_info[0].time;
    uint64_t delta, base;
    uint32_t version;

    do {
        version = t->version;
        __asm__ volatile("" ::: "memory");
        delta = rdtsc() - t->tsc_timestamp;
        delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
        base = t->system_time;
        base += (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        __asm__ volatile("" ::: "memory");
    } while ((version & 1) || version != t->version);
    return base;
}

void sleep_ns(uint64_t ns)
{
    uint64_t end = now_ns() + ns;
    struct sched_poll p = {.nr_ports = 0, .timeout = end};

    while (now_ns() < end) {
        hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, &p);
    }
}

/* ---- store ---- */

/* Puts bytes into the request ring; waits for room. */
static void put_request(const void *data, unsigned int n)
{
    const char *from = data;

    for (unsigned int i = 0; i < n; i++) {
        uint32_t prod = domu_store->req_prod;

        while (prod - __atomic_load_n(&domu_store->req_cons, __ATOMIC_ACQUIRE) >=
               XENSTORE_RING_SIZE) {
            notify(start_info->store_evtchn);
            yield();
        }
        domu_store->req[MASK_XENSTORE_IDX(prod)] = from[i];
        __atomic_store_n(&domu_store->req_prod, prod + 1, __ATOMIC_RELEASE);
    }
}

/* Takes n bytes of answers, waiting for them; NULL: throws them away. */
static void take_answer(void *to, unsigned int n)
{
    char *out = to;

    for (unsigned int i = 0; i < n; i++) {
        uint32_t cons = domu_store->rsp_cons;

        while (__atomic_load_n(&domu_store->rsp_prod, __ATOMIC_ACQUIRE) == cons) {
            notify(start_info->store_evtchn);
            yield();
        }
        if (out) {
            out[i] = domu_store->rsp[MASK_XENSTORE_IDX(cons)];
        }
        __atomic_store_n(&domu_store->rsp_cons, cons + 1, __ATOMIC_RELEASE);
    }
}

long store_call(unsigned int type, uint32_t tx, const void *payload, unsigned int n, char *answer,
                unsigned int size)
{
    struct xsd_sockmsg m = {.type = type, .req_id = 1, .tx_id = tx, .len = n};
    unsigned int keep;

    put_request(&m, sizeof(m));
    put_request(payload, n);
    do {
        notify(start_info->store_evtchn);
        take_answer(&m, sizeof(m));
        keep = m.type != XS_WATCH_EVENT && m.len < size ? m.len : 0;
        take_answer(answer, keep);
        take_answer(NULL, m.len - keep);
    } while (m.type == XS_WATCH_EVENT);
    notify(start_info->store_evtchn);
    if (size) {
        answer[keep] = '\0';
    }
    return m.type == XS_ERROR ? -1 : (long)m.len;
}

long store_write(const char *path, const char *value)
{
    char payload[512], *at = put_text(payload, path) + 1;

    at = put_text(at, value);
    return store_call(XS_WRITE, 0, payload, (unsigned int)(at - payload), NULL, 0);
}

bool store_send(unsigned int type, const void *payload, unsigned int n)
{
    struct xsd_sockmsg m = {.type = type, .len = n};
    uint32_t used = domu_store->req_prod - __atomic_load_n(&domu_store->req_cons, __ATOMIC_ACQUIRE);

    store_drain();
    if (used + sizeof(m) + n > XENSTORE_RING_SIZE) {
        notify(start_info->store_evtchn);
        return false;
    }
    put_request(&m, sizeof(m));
    put_request(payload, n);
    notify(start_info->store_evtchn);
    return true;
}

void store_drain(void)
{
    domu_store->rsp_cons = domu_store->rsp_prod;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
