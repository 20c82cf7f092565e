/*
 * Connections: a socket's or a ring's, with what was received but not yet complete, and what is to
 * be sent.
 *
 * Output is one stream of bytes with a queue of marks, one for each message, that say what a
 * message was for: its bytes count against its domain's memory, and a request counts as outstanding
 * until its answer and all the events that it caused have been taken by those concerned.
 *
 * A connection that broke the protocol is "ignored": it stays, so that its domain's end can be
 * told, but it has no watches, no transactions and no traffic.
 */
#ifndef XENSTORED_CONNECTION_H
#define XENSTORED_CONNECTION_H

#include "xenstored/domain.h"

#include <errno.h> /* before xs_wire.h, which names errors */
#include <xen/io/xs_wire.h>

struct transaction;

/* A request of an unprivileged domain that caused events. */
struct origin {
    uint32_t domid;
    uint32_t refs;
};

/* The mark of one queued message. */
struct mark {
    uint32_t len; /* header included */
    bool event;
    uint64_t deadline_ms; /* an event is dropped if not begun by then; 0: never */
    struct origin *origin;
};

struct marks {
    struct mark *p; /* a ring buffer */
    uint32_t first, count, cap;
};

struct conn {
    struct list link;       /* in connections */
    struct list flush_link; /* in the list of those that have something to send */
    struct list ready_link; /* rings: in the list of those to look at */
    struct list watches;
    struct list transactions;

    uint32_t id;           /* the domain's number; 0 for a socket */
    struct domain *domain; /* NULL for a socket */
    int fd;                /* -1 for a ring */
    int target;            /* the domain whose rights it has too, or -1 */
    bool ignored;
    bool closing; /* a socket to be destroyed at the end of the turn */
    bool write_blocked;

    struct buf in; /* received, not yet handled */
    size_t in_head;

    struct buf out; /* to be sent from out_head on */
    size_t out_head;
    uint32_t out_begun; /* bytes of the first message that have been sent */
    struct marks marks;

    struct transaction *tx; /* of the request being handled */
    uint32_t next_tx_id;
    int tx_count;
    struct xsd_sockmsg request; /* the header of the request being handled */
    struct origin *origin; /* of the request being handled, made when it first fires an event */
};

extern struct list connections;

/* NULL: the daemon itself. */
static inline bool conn_unprivileged(const struct conn *c)
{
    return c && c->domain && domid_unprivileged(c->domain->domid);
}

struct conn *conn_new(struct domain *d, int fd);

/* Closes and frees. The domain of a ring is the caller's affair (domain_release). */
void conn_destroy(struct conn *c);

/* Protocol broken: forgets everything of a ring's connection; a socket will be closed. */
void conn_ignore(struct conn *c, uint32_t ring_error);

/* Forgets watches, transactions and queued bytes; a ring that starts anew. */
void conn_reset(struct conn *c);

/* The path that relative paths are relative to. */
const char *conn_home(const struct conn *c);

/* The answer to the request being handled. data longer than a message may be becomes E2BIG. */
void conn_reply(struct conn *c, uint32_t type, const void *data, size_t len);
void conn_reply_error(struct conn *c, int error); /* error < 0, an errno */

/* A watch event. from: the connection whose request caused it, or NULL. */
void conn_event(struct conn *c, struct conn *from, const char *path, size_t pathlen,
                const char *token);

/* The request is done: gives up its origin. */
void conn_request_done(struct conn *c);

/* Bytes waiting to be sent. */
static inline size_t conn_out_len(const struct conn *c)
{
    return c->out.len - c->out_head;
}

static inline const char *conn_out_data(const struct conn *c)
{
    return c->out.p + c->out_head;
}

/* The first len of them have gone. */
void conn_out_taken(struct conn *c, size_t len);

/* Drops events whose time is over. Returns the next deadline, or 0. */
uint64_t conn_out_expire(struct conn *c, uint64_t now);

/* Queues bytes of unknown meaning (restored after a restart). */
void conn_out_restore(struct conn *c, const void *data, size_t len);

/* Has conn_flush_all look at this one. */
void conn_request_flush(struct conn *c);

/* Sends what every connection has queued; called at the end of each turn, after the commit. */
void conn_flush_all(void);

#endif
