/*
 * Requests of a transaction that are not waited for one by one. Read xsclient.h and internal.h
 * first.
 *
 * They are collected in one buffer, sent when that is large enough or when anything else is to be
 * sent, and their answers taken together: one wake-up of the store and one of the caller for all.
 */
#include "xenstored/client/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SEND_AT 32768u

int xsc_tx_post(struct xsc *xs, uint32_t tx)
{
    struct open_tx *t = xsc_find_tx(xs, tx);
    struct stat st;

    if (!t) {
        return -ENOENT;
    }
    /* The kernel's device takes one message at a time. */
    t->posting = xs->fd >= 0 && fstat(xs->fd, &st) == 0 && S_ISSOCK(st.st_mode);
    return 0;
}

bool xsc_is_postable(const struct open_tx *t, uint32_t type)
{
    return t && t->posting &&
           (type == XS_WRITE || type == XS_MKDIR || type == XS_RM || type == XS_SET_PERMS);
}

static int send_posted(struct xsc *xs)
{
    size_t at = 0;

    while (at < xs->out_len) {
        ssize_t n = send(xs->fd, xs->out + at, xs->out_len - at, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return -ECONNRESET;
        }
        at += (size_t)n;
    }
    return 0;
}

void xsc_collect(struct xsc *xs)
{
    struct open_tx *t = xs->posted_for;
    uint32_t count = xs->posted;
    int rc;

    if (count == 0) {
        return;
    }
    rc = xs->fd >= 0 ? send_posted(xs) : -ECONNRESET;
    for (uint32_t i = 0; i < count && rc != -ECONNRESET; i++) {
        rc = xsc_wait_answer(xs, xs->posted_first + i, NULL, NULL);
        if (rc < 0 && t->rc == 0) {
            t->rc = rc;
        }
    }
    xsc_forget_posted(xs);
    if (rc == -ECONNRESET) {
        rc = xsc_reconnect(xs);
        t->rc = rc < 0 ? rc : -EAGAIN;
    }
}

void xsc_forget_posted(struct xsc *xs)
{
    xs->out_len = 0;
    xs->posted = 0;
    xs->posted_for = NULL;
}

static int make_room(struct xsc *xs, size_t len)
{
    size_t cap = xs->out_len + len;
    char *out;

    if (cap <= xs->out_cap) {
        return 0;
    }
    out = realloc(xs->out, cap + SEND_AT);
    if (!out) {
        return -ENOMEM;
    }
    xs->out = out;
    xs->out_cap = cap + SEND_AT;
    return 0;
}

int xsc_post(struct xsc *xs, struct open_tx *t, uint32_t type, const struct iovec *parts, int count)
{
    struct xsd_sockmsg header = {.type = type, .tx_id = t->real};
    int rc;

    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > XENSTORE_PAYLOAD_MAX - header.len) {
            return -E2BIG;
        }
        header.len += (uint32_t)parts[i].iov_len;
    }
    if (xs->posted_for != t) {
        xsc_collect(xs);
    }
    rc = make_room(xs, sizeof(header) + header.len);
    if (rc < 0) {
        return rc;
    }
    header.req_id = xs->next_req++;
    if (xs->posted++ == 0) {
        xs->posted_for = t;
        xs->posted_first = header.req_id;
    }
    memcpy(xs->out + xs->out_len, &header, sizeof(header));
    xs->out_len += sizeof(header);
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len) {
            memcpy(xs->out + xs->out_len, parts[i].iov_base, parts[i].iov_len);
            xs->out_len += parts[i].iov_len;
        }
    }
    if (xs->out_len > SEND_AT) {
        xsc_collect(xs);
    }
    return t->rc;
}
