/*
 * Watches and their events. Read xsclient.h and internal.h first.
 */
#include "xenstored/client/internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_TOKEN "xsclient-wait"

int xsc_watch_once(struct xsc *xs, const struct watched *w)
{
    struct iovec v[3] = {xsc_bytes(w->path, strlen(w->path) + 1),
                         xsc_bytes(w->token, strlen(w->token) + 1)};
    char depth[16];

    snprintf(depth, sizeof(depth), "%u", w->depth);
    v[2] = xsc_bytes(depth, strlen(depth) + 1);
    return xsc_request_once(xs, XS_WATCH, 0, v, w->deep ? 2 : 3, NULL, NULL);
}

static int add_watch(struct xsc *xs, const char *path, const char *token, bool deep, unsigned depth)
{
    size_t pathlen = strlen(path) + 1, tokenlen = strlen(token) + 1;
    struct watched *w = malloc(sizeof(*w) + pathlen + tokenlen);
    int rc;

    if (!w) {
        return -ENOMEM;
    }
    memcpy(w->path, path, pathlen);
    w->token = w->path + pathlen;
    memcpy(w->token, token, tokenlen);
    w->deep = deep;
    w->depth = depth;
    do {
        rc = xsc_watch_once(xs, w);
    } while (rc == -ECONNRESET && xsc_reconnect(xs) == 0);
    if (rc < 0) {
        free(w);
        return rc;
    }
    w->next = xs->watches;
    xs->watches = w;
    return 0;
}

int xsc_watch(struct xsc *xs, const char *path, const char *token)
{
    return add_watch(xs, path, token, true, 0);
}

int xsc_watch_depth(struct xsc *xs, const char *path, const char *token, unsigned depth)
{
    return add_watch(xs, path, token, false, depth);
}

/* Is the event's path what this watch reports? */
static bool is_under(const char *path, const char *top)
{
    size_t len = strlen(top);

    if (strcmp(top, "/") == 0) {
        return true;
    }
    return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

void xsc_drop_events(struct xsc *xs, const char *token, const char *path)
{
    struct queued **at = &xs->first;

    while (*at) {
        struct queued *q = *at;

        if (strcmp(q->event->token, token) == 0 && is_under(q->event->path, path)) {
            *at = q->next;
            free(q->event);
            free(q);
        } else {
            at = &q->next;
        }
    }
    xs->last = at;
}

int xsc_unwatch(struct xsc *xs, const char *path, const char *token)
{
    const struct iovec v[2] = {xsc_bytes(path, strlen(path) + 1),
                               xsc_bytes(token, strlen(token) + 1)};
    int rc = xsc_request(xs, XS_UNWATCH, 0, v, 2, NULL, NULL);

    for (struct watched **w = &xs->watches; *w; w = &(*w)->next) {
        if (strcmp((*w)->path, path) == 0 && strcmp((*w)->token, token) == 0) {
            struct watched *gone = *w;

            *w = gone->next;
            free(gone);
            break;
        }
    }
    xsc_drop_events(xs, token, path);
    return rc;
}

int xsc_next_event(struct xsc *xs, struct xsc_event **event)
{
    struct queued *q;
    int rc;

    *event = NULL;
    if (!xs->first) {
        rc = xs->fd < 0 ? -ECONNRESET : xsc_receive(xs, 0);
        if (rc == -ECONNRESET) {
            rc = xsc_reconnect(xs);
        }
        if (rc < 0) {
            return rc;
        }
    }
    q = xs->first;
    if (!q) {
        return -EAGAIN;
    }
    *event = q->event;
    xs->first = q->next;
    if (!xs->first) {
        xs->last = &xs->first;
    }
    free(q);
    return 0;
}

static int64_t clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What is left of a time limit; -1 for ever. */
static int left(int64_t until)
{
    int64_t ms = until - clock_ms();

    return until < 0 ? -1 : ms > 0 ? (int)ms : 0;
}

int xsc_wait_event(struct xsc *xs, struct xsc_event **event, int timeout_ms)
{
    int64_t until = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
    int rc;

    while ((rc = xsc_next_event(xs, event)) == -EAGAIN) {
        struct pollfd p = {.fd = xs->fd, .events = POLLIN};
        int ms = left(until);

        if (ms == 0) {
            return -ETIMEDOUT;
        }
        poll(&p, 1, ms);
    }
    return rc;
}

/* Takes the events of one token off the queue, leaving the others. True if there was one. */
static bool take_events(struct xsc *xs, const char *token)
{
    struct queued **at = &xs->first;
    bool any = false;

    while (*at) {
        struct queued *q = *at;

        if (strcmp(q->event->token, token) == 0) {
            *at = q->next;
            free(q->event);
            free(q);
            any = true;
        } else {
            at = &q->next;
        }
    }
    xs->last = at;
    return any;
}

int xsc_wait_until(struct xsc *xs, const char *path, int (*test)(struct xsc *xs, void *arg),
                   void *arg, int timeout_ms)
{
    int64_t until = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
    int rc = xsc_watch(xs, path, WAIT_TOKEN);
    int found;

    if (rc < 0) {
        return rc;
    }
    while ((found = test(xs, arg)) == 0) {
        while (!take_events(xs, WAIT_TOKEN)) {
            int ms = left(until);

            rc = ms == 0 ? -ETIMEDOUT : xsc_receive(xs, ms);
            if (rc == -ECONNRESET) {
                rc = xsc_reconnect(xs);
            }
            if (rc < 0) {
                found = rc;
                break;
            }
        }
        if (found) {
            break;
        }
    }
    xsc_unwatch(xs, path, WAIT_TOKEN);
    return found;
}
