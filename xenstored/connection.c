/*
 * Connections and their output queues. Read connection.h first.
 */
#include "xenstored/connection.h"
#include "xenstored/persist.h"
#include "xenstored/quota.h"
#include "xenstored/trace.h"
#include "xenstored/transaction.h"
#include "xenstored/transport.h"
#include "xenstored/watch.h"

#include <stdlib.h>
#include <unistd.h>

#define HEADER sizeof(struct xsd_sockmsg)

struct list connections = {&connections, &connections};

static struct list to_flush = {&to_flush, &to_flush};

void conn_request_flush(struct conn *c)
{
    if (list_empty(&c->flush_link)) {
        list_append(&to_flush, &c->flush_link);
    }
}

struct conn *conn_new(struct domain *d, int fd)
{
    struct conn *c = xcalloc(1, sizeof(*c));

    list_init(&c->flush_link);
    list_init(&c->ready_link);
    list_init(&c->watches);
    list_init(&c->transactions);
    c->domain = d;
    c->id = d ? d->domid : 0;
    c->fd = fd;
    c->target = -1;
    list_append(&connections, &c->link);
    return c;
}

static void origin_put(struct origin *o)
{
    struct domain *d;

    if (!o || --o->refs > 0) {
        return;
    }
    d = domain_find_introduced(o->domid);
    if (d && d->outstanding > 0) {
        d->outstanding--;
    }
    free(o);
}

static struct mark *mark_at(struct conn *c, uint32_t i)
{
    return &c->marks.p[(c->marks.first + i) % c->marks.cap];
}

/* Releases what a message held, sent or not. */
static void mark_done(struct conn *c, const struct mark *m)
{
    if (c->domain) {
        c->domain->memory -= m->len;
    }
    if (m->origin) {
        origin_put(m->origin);
    } else if (!m->event && c->domain && c->domain->outstanding > 0) {
        c->domain->outstanding--;
    }
}

static void out_clear(struct conn *c)
{
    for (uint32_t i = 0; i < c->marks.count; i++) {
        mark_done(c, mark_at(c, i));
    }
    c->marks.first = c->marks.count = 0;
    c->out.len = c->out_head = 0;
    c->out_begun = 0;
}

void conn_destroy(struct conn *c)
{
    if (c->fd >= 0) {
        transport_send(c);
        close(c->fd);
    }
    watch_delete_all(c);
    transaction_delete_all(c);
    out_clear(c);
    conn_request_done(c);
    list_remove(&c->link);
    list_remove(&c->flush_link);
    list_remove(&c->ready_link);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c->marks.p);
    free(c);
}

void conn_reset(struct conn *c)
{
    watch_delete_all(c);
    transaction_delete_all(c);
    out_clear(c);
    c->in.len = c->in_head = 0;
    if (c->domain) {
        persist_ring_reset(c);
    }
}

void conn_ignore(struct conn *c, uint32_t ring_error)
{
    trace_line("connection of domain %u ignored, reason %u", c->id, ring_error);
    if (c->domain && c->domain->page) {
        c->domain->page->error = ring_error;
    }
    conn_reset(c);
    c->ignored = true;
    if (c->domain) {
        persist_ring_ignored(c);
    } else {
        c->closing = true;
        conn_request_flush(c);
    }
}

const char *conn_home(const struct conn *c)
{
    return c->domain ? c->domain->home : "/local/domain/0";
}

static void mark_push(struct conn *c, const struct mark *m)
{
    struct marks *q = &c->marks;

    if (q->count == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 8;
        struct mark *p = xmalloc(cap * sizeof(*p));

        for (uint32_t i = 0; i < q->count; i++) {
            p[i] = *mark_at(c, i);
        }
        free(q->p);
        q->p = p;
        q->cap = cap;
        q->first = 0;
    }
    q->p[(q->first + q->count) % q->cap] = *m;
    q->count++;
}

static void out_push(struct conn *c, const struct xsd_sockmsg *header, const void *a, size_t alen,
                     const void *b, size_t blen)
{
    if (c->out_head == c->out.len) {
        c->out_head = c->out.len = 0;
    } else if (c->out_head - c->out_begun > 65536) {
        /* What was sent of the first message stays: its mark describes the whole of it. */
        size_t gone = c->out_head - c->out_begun;

        memmove(c->out.p, c->out.p + gone, c->out.len - gone);
        c->out.len -= gone;
        c->out_head -= gone;
    }
    buf_append(&c->out, header, sizeof(*header));
    buf_append(&c->out, a, alen);
    buf_append(&c->out, b, blen);
    if (c->domain) {
        c->domain->memory += (int64_t)header->len + (int64_t)HEADER;
        persist_ring_out(c, c->out.p + c->out.len - header->len - HEADER, header->len + HEADER);
    }
    conn_request_flush(c);
}

void conn_reply(struct conn *c, uint32_t type, const void *data, size_t len)
{
    struct xsd_sockmsg header = c->request;
    struct mark m = {.origin = c->origin};

    if (len > XENSTORE_PAYLOAD_MAX) {
        conn_reply_error(c, -E2BIG);
        return;
    }
    if (c->ignored) {
        return;
    }
    header.type = type;
    header.len = (uint32_t)len;
    m.len = (uint32_t)(len + HEADER);
    if (m.origin) {
        m.origin->refs++;
    }
    mark_push(c, &m);
    if (c->domain) {
        c->domain->outstanding++;
    }
    trace_message(c, true, &header, data);
    out_push(c, &header, data, len, NULL, 0);
}

void conn_reply_error(struct conn *c, int error)
{
    size_t i = 0;

    while (i < ARRAY_SIZE(xsd_errors) && xsd_errors[i].errnum != -error) {
        i++;
    }
    if (i == ARRAY_SIZE(xsd_errors)) {
        i = 0; /* EINVAL */
    }
    conn_reply(c, XS_ERROR, xsd_errors[i].errstring, strlen(xsd_errors[i].errstring) + 1);
}

/* Is the same event waiting already? */
static bool is_duplicate(struct conn *c, const char *path, size_t pathlen, const char *token,
                         size_t tokenlen)
{
    size_t at = c->out_head - c->out_begun;
    size_t payload = pathlen + 1 + tokenlen + 1;

    for (uint32_t i = 0; i < c->marks.count; i++) {
        const struct mark *m = mark_at(c, i);
        const char *p = c->out.p + at + HEADER;

        if (m->event && m->len == payload + HEADER && memcmp(p, path, pathlen) == 0 &&
            p[pathlen] == '\0' && memcmp(p + pathlen + 1, token, tokenlen) == 0) {
            return true;
        }
        at += m->len;
    }
    return false;
}

void conn_event(struct conn *c, struct conn *from, const char *path, size_t pathlen,
                const char *token)
{
    size_t tokenlen = strlen(token);
    struct xsd_sockmsg header = {.type = XS_WATCH_EVENT,
                                 .len = (uint32_t)(pathlen + 1 + tokenlen + 1)};
    struct mark m = {.event = true, .len = (uint32_t)(header.len + HEADER)};
    char body[XENSTORE_PAYLOAD_MAX];

    if (header.len > XENSTORE_PAYLOAD_MAX || c->ignored || c->closing) {
        return;
    }
    if (path[0] != '@' && is_duplicate(c, path, pathlen, token, tokenlen)) {
        return;
    }
    if (c->domain && !domain_charge(c->id, 0, true)) {
        return;
    }
    if (conn_unprivileged(c) && quota.event_timeout_ms) {
        m.deadline_ms = now_ms() + (uint64_t)quota.event_timeout_ms;
    }
    if (from && conn_unprivileged(from)) {
        if (!from->origin) {
            from->origin = xcalloc(1, sizeof(*from->origin));
            from->origin->domid = from->id;
            from->origin->refs = 1;
        }
        from->origin->refs++;
        m.origin = from->origin;
    }
    memcpy(body, path, pathlen);
    body[pathlen] = '\0';
    memcpy(body + pathlen + 1, token, tokenlen + 1);
    mark_push(c, &m);
    trace_message(c, true, &header, body);
    out_push(c, &header, body, header.len, NULL, 0);
}

void conn_request_done(struct conn *c)
{
    struct origin *o = c->origin;

    c->origin = NULL;
    origin_put(o);
}

void conn_out_taken(struct conn *c, size_t len)
{
    c->out_head += len;
    c->out_begun += (uint32_t)len;
    while (c->marks.count && c->out_begun >= mark_at(c, 0)->len) {
        struct mark m = *mark_at(c, 0);

        c->out_begun -= m.len;
        c->marks.first = (c->marks.first + 1) % c->marks.cap;
        c->marks.count--;
        mark_done(c, &m);
    }
    if (c->out_head == c->out.len) {
        c->out_head = c->out.len = 0;
    }
}

uint64_t conn_out_expire(struct conn *c, uint64_t now)
{
    size_t at = c->out_head - c->out_begun;
    uint64_t next = 0;
    uint32_t kept = 0, count = c->marks.count;
    bool dropped = false;

    for (uint32_t i = 0; i < count; i++) {
        struct mark m = *mark_at(c, i);
        bool begun = i == 0 && c->out_begun > 0;

        if (m.deadline_ms && m.deadline_ms <= now && !begun) {
            memmove(c->out.p + at, c->out.p + at + m.len, c->out.len - at - m.len);
            c->out.len -= m.len;
            mark_done(c, &m);
            dropped = true;
            continue;
        }
        if (m.deadline_ms && !begun && (!next || m.deadline_ms < next)) {
            next = m.deadline_ms;
        }
        at += m.len;
        *mark_at(c, kept++) = m;
    }
    c->marks.count = kept;
    if (dropped) {
        persist_ring_requeue(c);
    }
    return next;
}

void conn_out_restore(struct conn *c, const void *data, size_t len)
{
    struct mark m = {.len = (uint32_t)len};

    if (len == 0) {
        return;
    }
    mark_push(c, &m);
    buf_append(&c->out, data, len);
    if (c->domain) {
        c->domain->memory += (int64_t)len;
        c->domain->outstanding++;
    }
    conn_request_flush(c);
}

void transport_send(struct conn *c)
{
    if (c->domain) {
        ring_send(c);
    } else {
        socket_send(c);
    }
}

void conn_flush_all(void)
{
    while (!list_empty(&to_flush)) {
        struct conn *c = list_first(&to_flush, struct conn, flush_link);

        list_remove(&c->flush_link);
        if (c->closing) {
            conn_destroy(c);
        } else if (!c->ignored) {
            transport_send(c);
        }
    }
}
