/*
 * From the log back to the state. Read persist.h and record.h first.
 *
 * The log was written by this program, but perhaps by a faulty version of it: every length is
 * checked.
 */
#include "xenstored/platform.h"
#include "xenstored/quota.h"
#include "xenstored/rate.h"
#include "xenstored/record.h"
#include "xenstored/transaction.h"
#include "xenstored/transport.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

/* A ring's answers as the log has them; what of it was sent already is cut off at the end. */
struct queue {
    uint64_t begin; /* position in the stream of the first byte */
    struct buf bytes;
};

static struct queue queues[DOMID_FIRST_RESERVED];
static struct record_consumed last_consumed;

void replay_forget(void)
{
    for (uint32_t i = 0; i < DOMID_FIRST_RESERVED; i++) {
        if (queues[i].bytes.p) {
            buf_free(&queues[i].bytes);
        }
        queues[i].begin = 0;
    }
}

static struct conn *find_conn(uint32_t id)
{
    struct domain *d;

    if (!(id & RECORD_SOCKET)) {
        d = domain_find(id);
        return d ? d->conn : NULL;
    }
    for (struct list *pos = connections.next; pos != &connections; pos = pos->next) {
        struct conn *c = container_of(pos, struct conn, link);

        if (!c->domain && record_conn_id(c) == id) {
            return c;
        }
    }
    return NULL;
}

static struct node *changed_names(struct node *n, const struct record_node *r, const char *names)
{
    struct buf list = {0};
    struct node *out = n;

    if (r->parts & NODE_NAMES) {
        node_set_children(n, names, r->nameslen);
    } else if (r->parts & NODE_NAMES_APPEND) {
        buf_append(&list, node_children(n), n->childlen);
        buf_append(&list, names, r->nameslen);
        node_set_children(n, list.p, (uint32_t)list.len);
        buf_free(&list);
    } else if (r->parts & NODE_NAMES_REMOVE) {
        out = node_without_child(n, names, r->nameslen - 1);
        if (out) {
            node_put(n);
        }
    }
    return out;
}

static int replay_node(const char *fixed, size_t len)
{
    struct record_node r;
    const char *path, *perms, *data, *names;
    struct node *old, *n, *changed;
    struct path p;

    if (len < sizeof(r)) {
        return -EINVAL;
    }
    memcpy(&r, fixed, sizeof(r));
    len -= sizeof(r);
    path = fixed + sizeof(r);
    perms = path + r.pathlen;
    data = perms + (size_t)r.nperms * sizeof(struct perm);
    names = data + r.datalen;
    if ((uint64_t)r.pathlen + (uint64_t)r.nperms * sizeof(struct perm) + r.datalen + r.nameslen >
        len) {
        return -EINVAL;
    }
    p = path_of(path, r.pathlen);
    old = tree_get(&p);
    if ((!old && (r.parts & (NODE_PERMS | NODE_DATA)) != (NODE_PERMS | NODE_DATA)) ||
        (r.nameslen && names[r.nameslen - 1] != '\0') || ((r.parts & NODE_PERMS) && !r.nperms)) {
        return -EINVAL;
    }
    {
        struct perm *copy = xmalloc(((size_t)r.nperms + 1) * sizeof(*copy));

        memcpy(copy, perms, r.nperms * sizeof(*copy));
        n = node_new(r.parts & NODE_PERMS ? copy : old->perms,
                     r.parts & NODE_PERMS ? r.nperms : old->nperms,
                     r.parts & NODE_DATA ? data : node_data(old),
                     r.parts & NODE_DATA ? r.datalen : old->datalen, old);
        free(copy);
    }
    changed = changed_names(n, &r, names);
    if (!changed) {
        node_put(n);
        return -EINVAL;
    }
    n = changed;
    n->generation = r.generation;
    if (r.generation > tree_generation) {
        tree_generation = r.generation;
    }
    tree_set(&p, n);
    return 0;
}

static int replay_domain(const char *fixed, size_t len)
{
    uint64_t generation = tree_generation;
    struct record_domain r;
    struct domain *d;

    if (len < sizeof(r)) {
        return -EINVAL;
    }
    memcpy(&r, fixed, sizeof(r));
    d = domain_get(r.domid);
    if (!d) {
        return -EINVAL;
    }
    if (r.introduced && !d->introduced) {
        d->introduced = true;
        d->conn = conn_new(d, -1);
        rate_domain_added(d);
    }
    d->generation = r.generation;
    tree_generation = generation > r.generation ? generation : r.generation;
    d->remote_port = r.remote_port;
    d->port = r.port;
    d->shutdown = r.shutdown;
    if (d->conn) {
        d->conn->target = r.target;
        d->conn->ignored = r.ignored;
        if (r.next_tx_id > d->conn->next_tx_id) {
            d->conn->next_tx_id = r.next_tx_id;
        }
    }
    return 0;
}

static void replay_domain_gone(uint32_t domid)
{
    struct domain *d = domain_find(domid);

    if (d) {
        d->port = 0; /* its successor's affair, if it has one */
        if (d->introduced) {
            rate_domain_removed(d);
        }
        domain_forget(d);
    }
}

static int replay_special(const struct record_id *r, const char *data)
{
    size_t size = (size_t)r->value * sizeof(struct perm);
    struct perm *perms = xmalloc(size);
    char name[32] = "";
    int rc = -EINVAL;

    if (r->value > 0 && r->len < sizeof(name)) {
        memcpy(perms, data, size);
        memcpy(name, data + size, r->len);
        rc = perm_special_set(name, perms, r->value);
    }
    free(perms);
    return rc;
}

static int replay_watch(const struct record_id *r, const char *data, bool set)
{
    struct conn *c = find_conn(r->id);
    struct watch *w;
    struct path p;
    char *token;

    if (r->value > r->len || !c) {
        return -EINVAL;
    }
    p = path_of(data, r->value);
    token = xmalloc(r->len - r->value + 1);
    memcpy(token, data + r->value, r->len - r->value);
    token[r->len - r->value] = '\0';
    w = watch_find(c, &p, token);
    if (set && !w) {
        watch_add(c, &p, token, r->value64 != 0, r->extra, true);
    } else if (!set && w) {
        watch_delete(w);
    }
    free(token);
    return 0;
}

static void replay_tx(const struct record_id *r, bool open)
{
    struct conn *c = find_conn(r->id);
    struct transaction *tx = c ? transaction_find(c, r->value) : NULL;

    if (c && open && !tx) {
        transaction_restore(c, r->value);
    } else if (tx && !open) {
        c->tx = tx;
        transaction_end(c, false);
    }
}

static void replay_out(const struct record_id *r, uint32_t type, const char *data)
{
    struct conn *c = find_conn(r->id);
    struct queue *q;

    if (r->id & RECORD_SOCKET) {
        if (c) {
            conn_out_restore(c, data, r->len);
        }
        return;
    }
    if (r->id >= DOMID_FIRST_RESERVED) {
        return;
    }
    q = &queues[r->id];
    if (type != RECORD_OUT) {
        q->bytes.len = 0;
        q->begin = r->value64;
    }
    if (type != RECORD_RESET) {
        buf_append(&q->bytes, data, r->len);
    }
}

static void replay_reset(const struct record_id *r)
{
    struct conn *c = find_conn(r->id);

    replay_out(r, RECORD_RESET, NULL);
    if (c) {
        watch_delete_all(c);
        transaction_delete_all(c);
        c->in.len = 0;
    }
}

static int replay_consumed(const char *fixed, size_t len)
{
    struct record_consumed r;
    struct conn *c;

    if (len < sizeof(r)) {
        return -EINVAL;
    }
    memcpy(&r, fixed, sizeof(r));
    last_consumed = r;
    c = find_conn(r.domid);
    if (c && r.complete) {
        c->in.len = 0;
    }
    return 0;
}

static int replay_quota(const struct record_id *r, const char *data)
{
    if (r->len != sizeof(quota)) {
        return -EINVAL;
    }
    memcpy(&quota, data, sizeof(quota));
    return 0;
}

static void replay_ignored(const struct record_id *r)
{
    struct conn *c = find_conn(r->id);

    if (c) {
        c->ignored = true;
    }
}

/* Records with a struct record_id. */
static int replay_id(uint32_t type, const char *fixed, size_t len)
{
    struct record_id r;
    const char *data = fixed + sizeof(r);
    struct path p;
    struct conn *c;
    uint64_t follows;

    if (len < sizeof(r)) {
        return -EINVAL;
    }
    memcpy(&r, fixed, sizeof(r));
    follows = r.len + (type == RECORD_SPECIAL ? (uint64_t)r.value * sizeof(struct perm) : 0);
    if (follows > len - sizeof(r)) {
        return -EINVAL;
    }
    switch (type) {
    case RECORD_NODE_GONE:
        p = path_of(data, r.len);
        tree_remove(&p);
        return 0;
    case RECORD_SPECIAL:
        return replay_special(&r, data);
    case RECORD_QUOTA:
        return replay_quota(&r, data);
    case RECORD_DOMAIN_GONE:
        replay_domain_gone(r.id);
        return 0;
    case RECORD_WATCH:
    case RECORD_UNWATCH:
        return replay_watch(&r, data, type == RECORD_WATCH);
    case RECORD_TX:
    case RECORD_TX_END:
        replay_tx(&r, type == RECORD_TX);
        return 0;
    case RECORD_IN:
        c = find_conn(r.id);
        if (c) {
            buf_append(&c->in, data, r.len);
        }
        return 0;
    case RECORD_OUT:
    case RECORD_OUT_QUEUE:
        replay_out(&r, type, data);
        return 0;
    case RECORD_RESET:
        replay_reset(&r);
        return 0;
    case RECORD_IGNORED:
        replay_ignored(&r);
        return 0;
    case RECORD_SOCKET_CONN:
        c = socket_adopt((int)(r.id & ~RECORD_SOCKET));
        c->next_tx_id = r.value;
        return 0;
    default:
        return -EINVAL;
    }
}

static int replay_one(uint32_t type, const char *fixed, size_t len)
{
    struct record_global global;

    switch (type) {
    case RECORD_NODE:
        return replay_node(fixed, len);
    case RECORD_DOMAIN:
        return replay_domain(fixed, len);
    case RECORD_CONSUMED:
        return replay_consumed(fixed, len);
    case RECORD_GLOBAL:
        if (len < sizeof(global)) {
            return -EINVAL;
        }
        memcpy(&global, fixed, sizeof(global));
        *record_global() = global;
        tree_generation = global.generation;
        return 0;
    default:
        return replay_id(type, fixed, len);
    }
}

static void count_node(const struct path *p, struct node *n, void *arg)
{
    struct domain *d = domain_find(n->perms[0].domid);

    if (d) {
        d->nodes++;
        d->memory += quota_node_bytes(p, n, 0);
    }
}

int replay(const char *data, size_t len)
{
    struct record r;
    int rc = 0;

    replay_forget();
    for (size_t at = 0; at < len && rc == 0; at += r.len) {
        if (len - at < sizeof(r)) {
            return -EINVAL;
        }
        memcpy(&r, data + at, sizeof(r));
        if (r.len < sizeof(r) || r.len > len - at) {
            return -EINVAL;
        }
        rc = replay_one(r.type, data + at + sizeof(r), r.len - sizeof(r));
        if (rc < 0) {
            log_msg(LOG_ERR, "record %u at offset %zu of the state makes no sense", r.type, at);
        }
    }
    tree_each(count_node, NULL);
    return rc;
}

/* Was the piece that was being copied when the daemon ended put into its ring? */
static void settle_sending(void)
{
    struct persist_io *io = persist_io;
    struct domain *d = io->sending ? domain_find_introduced(io->domid) : NULL;

    if (d && d->page && io->sent[io->domid] == io->sent_before) {
        /* If the guest has touched its index meanwhile, the bytes are taken for sent. */
        if (d->page->rsp_prod != io->from) {
            io->sent[io->domid] = io->sent_before + io->len;
        }
    }
    io->sending = 0;
}

/* Was the index moved behind the request that was handled last? */
static void settle_consumed(void)
{
    struct domain *d = domain_find_introduced(last_consumed.domid);

    if (last_consumed.number && persist_io->consumed_done != last_consumed.number && d && d->page &&
        d->page->req_cons == last_consumed.from &&
        d->page->req_prod - last_consumed.to <= XENSTORE_RING_SIZE) {
        d->page->req_cons = last_consumed.to;
    }
    persist_io->consumed = persist_io->consumed_done = last_consumed.number;
}

static void restore_queue(struct domain *d)
{
    struct queue *q = &queues[d->domid];
    uint64_t gone = persist_io->sent[d->domid] - q->begin;

    if (!d->conn->ignored && gone < q->bytes.len) {
        conn_out_restore(d->conn, q->bytes.p + gone, q->bytes.len - gone);
    }
}

void replay_resume_rings(bool ports_bound)
{
    struct list *pos;

    list_each(pos, &domains)
    {
        struct domain *d = container_of(pos, struct domain, link);

        if (d->introduced && domain_resume(d, ports_bound) < 0) {
            log_msg(LOG_WARNING, "the ring of domain %u cannot be mapped again", d->domid);
            conn_ignore(d->conn, XENSTORE_ERROR_COMM);
        }
    }
    settle_sending();
    settle_consumed();
    list_each(pos, &domains)
    {
        struct domain *d = container_of(pos, struct domain, link);

        if (d->introduced) {
            restore_queue(d);
        }
        if (d->introduced && !d->conn->ignored) {
            ring_mark_ready(d->conn);
            platform->notify(d->port);
        }
    }
    replay_forget();
}
