/*
 * Requests that are repeated where that is right, and transactions. Read xsclient.h and internal.h
 * first.
 */
#include "xenstored/client/internal.h"

#include <stdlib.h>

struct open_tx *xsc_find_tx(struct xsc *xs, uint32_t id)
{
    struct open_tx *t = xs->txs;

    while (t && t->id != id) {
        t = t->next;
    }
    return t;
}

int xsc_request(struct xsc *xs, uint32_t type, uint32_t tx, const struct iovec *parts, int count,
                char **reply, size_t *len)
{
    struct open_tx *t = tx ? xsc_find_tx(xs, tx) : NULL;
    int rc;

    if (tx && !t) {
        return -ENOENT;
    }
    if (t && !t->real) {
        return -EAGAIN;
    }
    if (!reply && !len && xsc_is_postable(t, type)) {
        return xsc_post(xs, t, type, parts, count);
    }
    xsc_collect(xs);
    if (t && !t->real) {
        return -EAGAIN; /* lost just now */
    }
    for (;;) {
        rc = xsc_request_once(xs, type, t ? t->real : 0, parts, count, reply, len);
        if (rc != -ECONNRESET) {
            return rc;
        }
        rc = xsc_reconnect(xs);
        if (rc < 0) {
            return rc;
        }
        if (t) {
            return -EAGAIN;
        }
    }
}

int xsc_tx_start(struct xsc *xs, uint32_t *tx)
{
    const struct iovec empty = xsc_bytes("", 1);
    struct open_tx *t = calloc(1, sizeof(*t));
    char *text = NULL;
    int rc = t ? xsc_request(xs, XS_TRANSACTION_START, 0, &empty, 1, &text, NULL) : -ENOMEM;

    if (rc < 0) {
        free(t);
        return rc;
    }
    t->real = (uint32_t)strtoul(text, NULL, 10);
    free(text);
    do {
        t->id = xs->next_tx++;
    } while (t->id == 0 || xsc_find_tx(xs, t->id));
    t->next = xs->txs;
    xs->txs = t;
    *tx = t->id;
    return 0;
}

int xsc_tx_end(struct xsc *xs, uint32_t tx, bool commit)
{
    struct open_tx *open;
    struct iovec arg;
    int rc, posted;

    xsc_collect(xs);
    open = xsc_find_tx(xs, tx);
    posted = open ? open->rc : 0;
    arg = xsc_bytes(commit && posted == 0 ? "T" : "F", 2);
    rc = xsc_request(xs, XS_TRANSACTION_END, tx, &arg, 1, NULL, NULL);
    rc = commit && posted < 0 ? posted : rc;
    for (struct open_tx **t = &xs->txs; *t; t = &(*t)->next) {
        if ((*t)->id == tx) {
            struct open_tx *gone = *t;

            *t = gone->next;
            free(gone);
            break;
        }
    }
    return rc == -EAGAIN && !commit ? 0 : rc;
}

int xsc_transact(struct xsc *xs, int (*body)(struct xsc *xs, uint32_t tx, void *arg), void *arg)
{
    uint32_t tx;
    int rc, end;

    for (;;) {
        rc = xsc_tx_start(xs, &tx);
        if (rc < 0) {
            return rc;
        }
        rc = body(xs, tx, arg);
        end = xsc_tx_end(xs, tx, rc >= 0);
        if (rc < 0 && rc != -EAGAIN) {
            return rc;
        }
        if (rc >= 0 && end != -EAGAIN) {
            return end < 0 ? end : rc;
        }
    }
}
