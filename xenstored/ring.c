/*
 * Rings: the page shared with a domain. Read transport.h, persist.h and <xen/io/xs_wire.h> first.
 *
 * The page is the guest's to scribble on. Its indices are read once, checked, and used from the
 * copy; bytes are copied out before they are looked at; an index that can't be ends the connection.
 * The indices in the page are the ones that count (firmware clears the page when it is done with
 * it).
 */
#include "xenstored/crashpoint.h"
#include "xenstored/persist.h"
#include "xenstored/platform.h"
#include "xenstored/quota.h"
#include "xenstored/transport.h"
#include "xenstored/wire.h"

#include <syslog.h>

#define TURN         8    /* requests of one ring before the next ring's */
#define THROTTLE_MS  10   /* how often a throttled ring is looked at */
#define EXPIRE_EVERY 1000 /* milliseconds between two looks for overdue events */

static struct list ready = {&ready, &ready};
static struct list throttled = {&throttled, &throttled};
static uint64_t next_expire;

void ring_mark_ready(struct conn *c)
{
    list_remove(&c->ready_link);
    list_append(&ready, &c->ready_link);
}

static inline uint32_t load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* The guest asks for a new start. */
static void reconnect(struct conn *c)
{
    struct xenstore_domain_interface *page = c->domain->page;

    conn_reset(c);
    c->ignored = false;
    persist_domain(c->domain);
    persist_commit();
    page->req_cons = page->req_prod = 0;
    page->rsp_cons = page->rsp_prod = 0;
    page->error = XENSTORE_ERROR_NONE;
    __atomic_store_n(&page->connection, XENSTORE_CONNECTED, __ATOMIC_RELEASE);
    platform->notify(c->domain->port);
}

static void copy_in(struct conn *c, uint32_t from, size_t len)
{
    const char *ring = c->domain->page->req;
    size_t at = MASK_XENSTORE_IDX(from);
    size_t first = min_size(len, XENSTORE_RING_SIZE - at);

    buf_append(&c->in, ring + at, first);
    buf_append(&c->in, ring, len - first);
}

/* Copies what the current message still lacks, as far as it is there. The bytes taken. */
static uint32_t fetch(struct conn *c, uint32_t from, uint32_t avail, bool *bad)
{
    uint32_t taken = 0;
    size_t want;

    /* Twice: the header first, then what it asks for. */
    for (int i = 0; i < 2 && taken < avail && !*bad; i++) {
        want = min_size(stream_missing(c, bad), avail - taken);
        copy_in(c, from + taken, want);
        taken += (uint32_t)want;
    }
    return taken;
}

/* Handles one message, or takes a part of one. True if there may be more. */
static bool take(struct conn *c)
{
    struct xenstore_domain_interface *page = c->domain->page;
    uint32_t cons = load(&page->req_cons), prod = load(&page->req_prod), n;
    struct xsd_sockmsg header;
    size_t before = c->in.len;
    bool bad = false, complete;

    if (prod - cons > XENSTORE_RING_SIZE) {
        conn_ignore(c, XENSTORE_ERROR_RINGIDX);
        return false;
    }
    if (prod == cons) {
        return false;
    }
    n = fetch(c, cons, prod - cons, &bad);
    complete = !bad && stream_missing(c, &bad) == 0;
    if (bad) {
        if (!c->domain->nonsense_reported) {
            log_msg(LOG_WARNING, "domain %u sent a message that is too long", c->id);
            c->domain->nonsense_reported = true; /* once: a guest could do it all day */
        }
        conn_ignore(c, XENSTORE_ERROR_PROTO);
        return false;
    }
    if (complete) {
        memcpy(&header, c->in.p, sizeof(header));
        persist_ring_consumed(c, cons, cons + n, true);
        wire_handle(c, &header, c->in.p + sizeof(header));
        c->in.len = 0;
    } else {
        persist_ring_in(c, c->in.p + before, n);
        persist_ring_consumed(c, cons, cons + n, false);
    }
    persist_commit();
    __atomic_store_n(&page->req_cons, cons + n, __ATOMIC_RELEASE);
    CRASH_POINT();
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    persist_io->consumed_done = persist_io->consumed;
    return true;
}

/* Takes some messages of one ring. True if it should be looked at again soon. */
static bool run(struct conn *c)
{
    uint32_t before;
    bool more = true;

    if (!c->domain->page) {
        return false;
    }
    if (load(&c->domain->page->connection) == XENSTORE_RECONNECT) {
        reconnect(c);
        return false;
    }
    if (c->ignored) {
        return false;
    }
    before = c->domain->page->req_cons;
    for (int i = 0; i < TURN && more; i++) {
        if (domain_is_throttled(c->domain)) {
            list_append(&throttled, &c->ready_link);
            break;
        }
        more = take(c);
    }
    if (conn_out_len(c) > 0) {
        conn_request_flush(c);
    } else if (!c->ignored && c->domain->page->req_cons != before) {
        platform->notify(c->domain->port);
    }
    return more && list_empty(&c->ready_link);
}

bool ring_run(void)
{
    struct list now;

    if (list_empty(&ready)) {
        return false;
    }
    /* Those that are ready now, each once: whoever comes to the list meanwhile waits its turn. */
    now = ready;
    now.next->prev = now.prev->next = &now;
    list_init(&ready);
    while (!list_empty(&now)) {
        struct conn *c = list_first(&now, struct conn, ready_link);

        list_remove(&c->ready_link);
        if (run(c)) {
            list_append(&ready, &c->ready_link);
        }
    }
    return !list_empty(&ready);
}

static int expire_all(uint64_t now)
{
    struct list *pos;
    bool waiting = false;

    list_each(pos, &domains)
    {
        struct domain *d = container_of(pos, struct domain, link);

        if (d->conn && d->conn->marks.count) {
            waiting = conn_out_expire(d->conn, now) != 0 || waiting;
        }
    }
    return waiting ? EXPIRE_EVERY : -1;
}

int ring_timers(uint64_t now)
{
    struct list *pos, *tmp;
    int wait = -1;

    list_each_safe(pos, tmp, &throttled)
    {
        struct conn *c = container_of(pos, struct conn, ready_link);

        if (!domain_is_throttled(c->domain)) {
            ring_mark_ready(c);
        }
    }
    if (now >= next_expire) {
        next_expire = now + EXPIRE_EVERY;
        wait = expire_all(now);
        persist_commit();
    } else {
        wait = (int)(next_expire - now);
    }
    if (!list_empty(&ready)) {
        return 0;
    }
    return list_empty(&throttled) ? wait : THROTTLE_MS;
}

static void copy_out(struct conn *c, uint32_t to, uint32_t len)
{
    char *ring = c->domain->page->rsp;
    size_t at = MASK_XENSTORE_IDX(to);
    size_t first = min_size(len, XENSTORE_RING_SIZE - at);

    memcpy(ring + at, conn_out_data(c), first);
    memcpy(ring, conn_out_data(c) + first, len - first);
}

void ring_send(struct conn *c)
{
    struct xenstore_domain_interface *page = c->domain->page;
    struct persist_io *io = persist_io;
    uint32_t cons, prod, len;

    if (!page || c->ignored || conn_out_len(c) == 0) {
        return;
    }
    cons = load(&page->rsp_cons);
    prod = load(&page->rsp_prod);
    if (prod - cons > XENSTORE_RING_SIZE) {
        conn_ignore(c, XENSTORE_ERROR_RINGIDX);
        persist_commit();
        return;
    }
    len = (uint32_t)min_size(conn_out_len(c), XENSTORE_RING_SIZE - (prod - cons));
    if (len == 0) {
        platform->notify(c->domain->port);
        return;
    }
    io->domid = c->id;
    io->from = prod;
    io->len = len;
    io->sent_before = io->sent[c->id];
    __atomic_store_n(&io->sending, 1, __ATOMIC_RELEASE);
    CRASH_POINT();
    copy_out(c, prod, len);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    CRASH_POINT();
    __atomic_store_n(&page->rsp_prod, prod + len, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    CRASH_POINT();
    __atomic_store_n(&io->sent[c->id], io->sent_before + len, __ATOMIC_RELEASE);
    CRASH_POINT();
    __atomic_store_n(&io->sending, 0, __ATOMIC_RELEASE);
    conn_out_taken(c, len);
    platform->notify(c->domain->port);
}
