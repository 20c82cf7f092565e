/*
 * The whole state as records: what a log file begins with. Read persist.h and record.h first.
 */
#include "xenstored/record.h"
#include "xenstored/transaction.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

static void write_node(const struct path *p, struct node *n, void *arg)
{
    persist_node(p, NULL, n);
}

static void write_bytes(enum record_type type, const struct conn *c, const void *data, size_t len,
                        uint64_t position)
{
    struct record_id r = {.id = record_conn_id(c), .len = (uint32_t)len, .value64 = position};
    struct iovec v = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};

    record_write(type, &r, sizeof(r), &v, 1);
}

static void write_watches(const struct conn *c)
{
    struct list *pos;

    list_each(pos, &c->watches)
    {
        const struct watch *w = container_of(pos, struct watch, link);
        struct record_id r = {.id = record_conn_id(c), .value = w->path.len, .extra = w->depth};
        struct iovec v[2] = {{.iov_base = (void *)(uintptr_t)w->path.s, .iov_len = w->path.len},
                             {.iov_base = w->token, .iov_len = strlen(w->token)}};

        r.value64 = w->relative != 0;
        r.len = (uint32_t)(v[0].iov_len + v[1].iov_len);
        record_write(RECORD_WATCH, &r, sizeof(r), v, 2);
    }
}

/* A connection; its RECORD_DOMAIN or RECORD_SOCKET_CONN has been written. */
static void write_conn(const struct conn *c)
{
    struct list *pos;

    write_watches(c);
    list_each(pos, &c->transactions)
    {
        const struct transaction *tx = container_of(pos, struct transaction, link);
        struct record_id r = {.id = record_conn_id(c), .value = tx->id};

        record_write(RECORD_TX, &r, sizeof(r), NULL, 0);
    }
    write_bytes(RECORD_IN, c, c->in.p + c->in_head, c->in.len - c->in_head, 0);
    write_bytes(RECORD_OUT_QUEUE, c, conn_out_data(c), conn_out_len(c),
                c->domain ? persist_io->sent[c->id] : 0);
}

static void write_sockets(void)
{
    struct list *pos;

    list_each(pos, &connections)
    {
        const struct conn *c = container_of(pos, struct conn, link);
        struct record_id r = {.value = c->next_tx_id};

        if (!c->domain && !c->closing) {
            r.id = record_conn_id(c);
            record_write(RECORD_SOCKET_CONN, &r, sizeof(r), NULL, 0);
            write_conn(c);
        }
    }
}

void snapshot_write(bool with_sockets)
{
    struct record_global global = *record_global();
    struct list *pos;

    global.generation = tree_generation;
    record_write(RECORD_GLOBAL, &global, sizeof(global), NULL, 0);
    persist_quota();
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "@releaseDomain" : "@introduceDomain";
        const struct perms *perms = perm_special(name, strlen(name));

        if (perms && perms->count) {
            persist_special(name, perms->p, perms->count);
        }
    }
    tree_each(write_node, NULL);
    list_each(pos, &domains)
    {
        const struct domain *d = container_of(pos, struct domain, link);

        persist_domain(d);
        if (d->conn) {
            write_conn(d->conn);
        }
    }
    if (with_sockets) {
        write_sockets();
    }
}
