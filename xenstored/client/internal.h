/*
 * What the parts of the client library share. Read xsclient.h first.
 */
#ifndef XSCLIENT_INTERNAL_H
#define XSCLIENT_INTERNAL_H

#include "xenstored/client/xsclient.h"

#include <errno.h>
#include <sys/uio.h>
#include <xen/io/xs_wire.h>

/* A watch that is set, to be set again after a reconnect. */
struct watched {
    struct watched *next;
    bool deep; /* no depth given */
    unsigned depth;
    char *token;
    char path[];
};

/* An event that was received and not taken yet. */
struct queued {
    struct queued *next;
    struct xsc_event *event;
};

/* An open transaction: the number the caller knows, and the server's (0: it was lost). */
struct open_tx {
    struct open_tx *next;
    uint32_t id, real;
    bool posting; /* xsc_tx_post */
    int rc;       /* the first error of a posted request */
};

struct xsc {
    int fd;
    char *path;
    char *wanted; /* what the caller asked for, or NULL */
    unsigned retry_ms;
    uint32_t next_req, next_tx;
    struct watched *watches;
    struct queued *first, **last;
    struct open_tx *txs;
    bool reconnecting;
    char *in; /* received, not parsed */
    size_t in_len, in_cap;

    /* Posted requests whose answers were not taken yet (posted.c), all of one transaction. */
    char *out;
    size_t out_len, out_cap;
    struct open_tx *posted_for;
    uint32_t posted_first, posted; /* request numbers: the first, and how many follow in order */
};

/* Connects; 0 or -errno. */
int xsc_connect(struct xsc *xs);

/* Connects again, sets the watches again, declares transactions lost. 0 or -ECONNRESET. */
int xsc_reconnect(struct xsc *xs);

/*
 * Sends a request made of parts and waits for its answer: *reply (malloced, NUL appended, may be
 * NULL) and *len. Reconnects and repeats where that is right. 0, or the error that the answer is.
 */
int xsc_request(struct xsc *xs, uint32_t type, uint32_t tx, const struct iovec *parts, int count,
                char **reply, size_t *len);

/* The same without any repetition; -ECONNRESET if the connection is lost. */
int xsc_request_once(struct xsc *xs, uint32_t type, uint32_t real_tx, const struct iovec *parts,
                     int count, char **reply, size_t *len);

/* Waits for the answer to one request that was sent. */
int xsc_wait_answer(struct xsc *xs, uint32_t req, char **reply, size_t *len);

struct open_tx *xsc_find_tx(struct xsc *xs, uint32_t id);

/* May a request of this type be posted in this transaction (NULL: none)? */
bool xsc_is_postable(const struct open_tx *t, uint32_t type);

/* Posts one. 0, or an error of this or of an earlier one. */
int xsc_post(struct xsc *xs, struct open_tx *t, uint32_t type, const struct iovec *parts,
             int count);

/* Sends what was posted and takes the answers; the first error is kept in the transaction. */
void xsc_collect(struct xsc *xs);
void xsc_forget_posted(struct xsc *xs);

/* Takes what has been received; queues events. wait: for at least one message. */
int xsc_receive(struct xsc *xs, int timeout_ms);

/* Sets one watch, now. */
int xsc_watch_once(struct xsc *xs, const struct watched *w);

void xsc_drop_events(struct xsc *xs, const char *token, const char *path);

static inline struct iovec xsc_bytes(const void *p, size_t len)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = len};
}

#endif
