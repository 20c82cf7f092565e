/*
 * What requests write into the log. Read persist.h and record.h first.
 */
#include "xenstored/quota.h"
#include "xenstored/record.h"
#include "xenstored/watch.h"

#include <stdlib.h>

static struct record_global global = {.listen_fd = -1, .event_fd = -1};

struct record_global *record_global(void)
{
    return &global;
}

uint32_t record_conn_id(const struct conn *c)
{
    return c->domain ? c->id : RECORD_SOCKET | (uint32_t)c->fd;
}

static struct iovec bytes(const void *p, size_t len)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = len};
}

/* How many bytes two pieces of memory have in common at their starts. */
static uint32_t common_prefix(const char *a, const char *b, uint32_t len)
{
    uint32_t i = 0;
    uint64_t x, y;

    for (; i + 8 <= len; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y) {
            return i + (uint32_t)__builtin_ctzll(x ^ y) / 8;
        }
    }
    while (i < len && a[i] == b[i]) {
        i++;
    }
    return i;
}

/* How a list of children differs from the one before; *what and *len are the names concerned. */
static uint32_t names_diff(const struct node *old, const struct node *n, const char **what,
                           uint32_t *len)
{
    const char *a = old ? node_children(old) : "", *b = node_children(n);
    uint32_t alen = old ? old->childlen : 0, blen = n->childlen;
    uint32_t off, gone;

    *what = b;
    *len = blen;
    if (!old) {
        return NODE_NAMES;
    }
    if (alen == blen && (old->names == n->names || memcmp(a, b, alen) == 0)) {
        return 0;
    }
    if (blen > alen && (old->names == n->names || memcmp(a, b, alen) == 0)) {
        *what = b + alen;
        *len = blen - alen;
        return NODE_NAMES_APPEND;
    }
    if (blen < alen) {
        /* The name in which they begin to differ may be the only one that is gone. */
        off = common_prefix(a, b, blen);
        while (off > 0 && a[off - 1] != '\0') {
            off--;
        }
        gone = (uint32_t)strlen(a + off) + 1;
        if (alen - gone == blen && memcmp(a + off + gone, b + off, blen - off) == 0) {
            *what = a + off;
            *len = gone;
            return NODE_NAMES_REMOVE;
        }
    }
    return NODE_NAMES;
}

void persist_node(const struct path *p, const struct node *old, const struct node *n)
{
    struct record_node r = {.generation = n->generation, .pathlen = p->len};
    struct iovec v[4];
    const char *names;
    uint32_t len;

    if (!record_wanted()) {
        return;
    }
    r.parts = names_diff(old, n, &names, &len);
    r.nameslen = r.parts ? len : 0;
    if (!old || old->nperms != n->nperms ||
        memcmp(old->perms, n->perms, n->nperms * sizeof(n->perms[0])) != 0) {
        r.parts |= NODE_PERMS;
        r.nperms = n->nperms;
    }
    if (!old || old->datalen != n->datalen ||
        memcmp(node_data(old), node_data(n), n->datalen) != 0) {
        r.parts |= NODE_DATA;
        r.datalen = n->datalen;
    }
    v[0] = bytes(p->s, p->len);
    v[1] = bytes(n->perms, r.nperms * sizeof(n->perms[0]));
    v[2] = bytes(node_data(n), r.datalen);
    v[3] = bytes(names, r.nameslen);
    record_write(RECORD_NODE, &r, sizeof(r), v, 4);
}

void persist_node_gone(const struct path *p)
{
    struct record_id r = {.len = p->len};
    struct iovec v = bytes(p->s, p->len);

    record_write(RECORD_NODE_GONE, &r, sizeof(r), &v, 1);
}

void persist_special(const char *name, const struct perm *p, uint32_t count)
{
    struct record_id r = {.len = (uint32_t)strlen(name), .value = count};
    struct iovec v[2] = {bytes(p, count * sizeof(*p)), bytes(name, strlen(name))};

    record_write(RECORD_SPECIAL, &r, sizeof(r), v, 2);
}

void persist_quota(void)
{
    struct record_id r = {.len = sizeof(quota)};
    struct iovec v = bytes(&quota, sizeof(quota));

    record_write(RECORD_QUOTA, &r, sizeof(r), &v, 1);
}

void persist_domain(const struct domain *d)
{
    struct record_domain r = {.target = -1};

    if (!d) {
        return;
    }
    r.domid = d->domid;
    r.remote_port = d->remote_port;
    r.port = d->port;
    r.generation = d->generation;
    r.introduced = d->introduced;
    r.shutdown = d->shutdown;
    if (d->conn) {
        r.target = d->conn->target;
        r.ignored = d->conn->ignored;
        r.next_tx_id = d->conn->next_tx_id;
    }
    record_write(RECORD_DOMAIN, &r, sizeof(r), NULL, 0);
}

void persist_domain_gone(uint32_t domid)
{
    struct record_id r = {.id = domid};

    record_write(RECORD_DOMAIN_GONE, &r, sizeof(r), NULL, 0);
}

/* Is this connection's state to be logged now? Sockets only in a snapshot for a live update. */
static bool logged(const struct conn *c)
{
    return c->domain && record_wanted();
}

void persist_watch(const struct watch *w, bool set)
{
    struct record_id r = {.id = record_conn_id(w->conn), .value = w->path.len, .extra = w->depth};
    struct iovec v[2] = {bytes(w->path.s, w->path.len), bytes(w->token, strlen(w->token))};

    if (logged(w->conn)) {
        r.value64 = w->relative != 0;
        r.len = (uint32_t)(v[0].iov_len + v[1].iov_len);
        record_write(set ? RECORD_WATCH : RECORD_UNWATCH, &r, sizeof(r), v, 2);
    }
}

void persist_tx(const struct conn *c, uint32_t id, bool open)
{
    struct record_id r = {.id = record_conn_id(c), .value = id};

    if (logged(c)) {
        record_write(open ? RECORD_TX : RECORD_TX_END, &r, sizeof(r), NULL, 0);
    }
}

void persist_ring_in(const struct conn *c, const void *data, size_t len)
{
    struct record_id r = {.id = record_conn_id(c), .len = (uint32_t)len};
    struct iovec v = bytes(data, len);

    if (logged(c)) {
        record_write(RECORD_IN, &r, sizeof(r), &v, 1);
    }
}

void persist_ring_consumed(const struct conn *c, uint32_t from, uint32_t to, bool complete)
{
    struct record_consumed r = {.domid = c->id, .from = from, .to = to, .complete = complete};

    if (logged(c)) {
        r.number = ++persist_io->consumed;
        record_write(RECORD_CONSUMED, &r, sizeof(r), NULL, 0);
    }
}

void persist_ring_out(const struct conn *c, const void *data, size_t len)
{
    struct record_id r = {.id = record_conn_id(c), .len = (uint32_t)len};
    struct iovec v = bytes(data, len);

    if (logged(c)) {
        record_write(RECORD_OUT, &r, sizeof(r), &v, 1);
    }
}

void persist_ring_requeue(const struct conn *c)
{
    struct record_id r = {.id = record_conn_id(c), .len = (uint32_t)conn_out_len(c)};
    struct iovec v = bytes(conn_out_data(c), conn_out_len(c));

    if (logged(c)) {
        r.value64 = persist_io->sent[c->id];
        record_write(RECORD_OUT_QUEUE, &r, sizeof(r), &v, 1);
    }
}

void persist_ring_reset(const struct conn *c)
{
    struct record_id r = {.id = record_conn_id(c)};

    if (logged(c)) {
        r.value64 = persist_io->sent[c->id];
        record_write(RECORD_RESET, &r, sizeof(r), NULL, 0);
    }
}

void persist_ring_ignored(const struct conn *c)
{
    struct record_id r = {.id = record_conn_id(c)};

    if (logged(c)) {
        record_write(RECORD_IGNORED, &r, sizeof(r), NULL, 0);
    }
}
