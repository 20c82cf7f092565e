/*
 * Connecting, requests and answers, reconnecting. Read xsclient.h and internal.h first.
 */
#include "xenstored/client/internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEVICE        "/dev/xen/xenbus"
#define RETRY_DEFAULT 10000
#define RETRY_PAUSE   20 /* milliseconds between two attempts */

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- opening
 * ----------------------------------------------------------------------------------------------- /
 */

static int open_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, rc;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

static int open_path(const char *path)
{
    struct stat st;
    int fd;

    if (stat(path, &st) < 0) {
        return -errno;
    }
    if (!S_ISCHR(st.st_mode)) {
        return open_socket(path);
    }
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int try_path(struct xsc *xs, const char *path)
{
    int fd = open_path(path);

    if (fd < 0) {
        return fd;
    }
    xs->fd = fd;
    free(xs->path);
    xs->path = strdup(path);
    return xs->path ? 0 : -ENOMEM;
}

int xsc_connect(struct xsc *xs)
{
    static const char *const places[] = {"/run/xenstored/socket", "/var/run/xenstored/socket",
                                         DEVICE};
    const char *path = xs->wanted ? xs->wanted : getenv("XENSTORED_PATH");
    const char *dir = getenv("XENSTORED_RUNDIR");
    char in_dir[256];
    int rc, worst = -ENOENT;

    if (path) {
        return try_path(xs, path);
    }
    if (dir) {
        snprintf(in_dir, sizeof(in_dir), "%s/socket", dir);
        return try_path(xs, in_dir);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        rc = try_path(xs, places[i]);
        if (rc == 0) {
            return 0;
        }
        worst = rc == -ENOENT ? worst : rc;
    }
    return worst;
}

int xsc_open(struct xsc **out, const char *path)
{
    struct xsc *xs = calloc(1, sizeof(*xs));
    int rc = -ENOMEM;

    *out = NULL;
    if (!xs) {
        return rc;
    }
    xs->fd = -1;
    xs->retry_ms = RETRY_DEFAULT;
    xs->next_req = xs->next_tx = 1;
    xs->last = &xs->first;
    xs->wanted = path ? strdup(path) : NULL;
    if (!path || xs->wanted) {
        rc = xsc_connect(xs);
    }
    if (rc < 0) {
        xsc_close(xs);
        return rc;
    }
    *out = xs;
    return 0;
}

void xsc_close(struct xsc *xs)
{
    if (!xs) {
        return;
    }
    if (xs->fd >= 0) {
        close(xs->fd);
    }
    while (xs->first) {
        struct queued *q = xs->first;

        xs->first = q->next;
        free(q->event);
        free(q);
    }
    while (xs->watches) {
        struct watched *w = xs->watches;

        xs->watches = w->next;
        free(w);
    }
    while (xs->txs) {
        struct open_tx *t = xs->txs;

        xs->txs = t->next;
        free(t);
    }
    free(xs->in);
    free(xs->out);
    free(xs->path);
    free(xs->wanted);
    free(xs);
}

void xsc_set_retry(struct xsc *xs, unsigned milliseconds)
{
    xs->retry_ms = milliseconds;
}

int xsc_fd(const struct xsc *xs)
{
    return xs->fd;
}

const char *xsc_path(const struct xsc *xs)
{
    return xs->path;
}

/* --- messages
 * ----------------------------------------------------------------------------------------------- /
 */

static int send_all(struct xsc *xs, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(xs->fd, data, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return -ECONNRESET;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Sends the header and the parts as one piece. A broken pipe must not kill the program. */
static int send_message(struct xsc *xs, const struct xsd_sockmsg *header, const struct iovec *parts,
                        int count)
{
    char message[sizeof(*header) + XENSTORE_PAYLOAD_MAX];
    size_t len = sizeof(*header);
    ssize_t n;

    memcpy(message, header, len);
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len) {
            memcpy(message + len, parts[i].iov_base, parts[i].iov_len);
            len += parts[i].iov_len;
        }
    }
    n = send(xs->fd, message, len, MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK) {
        n = 0;
    } else if (n < 0 && errno == EINTR) {
        n = 0;
    } else if (n < 0) {
        return -ECONNRESET;
    }
    return send_all(xs, message + n, len - (size_t)n);
}

/* The first message received, if it is complete. */
static bool first_message(const struct xsc *xs, struct xsd_sockmsg *header)
{
    if (xs->in_len < sizeof(*header)) {
        return false;
    }
    memcpy(header, xs->in, sizeof(*header));
    return header->len <= XENSTORE_PAYLOAD_MAX && xs->in_len >= sizeof(*header) + header->len;
}

static void drop_message(struct xsc *xs, const struct xsd_sockmsg *header)
{
    size_t len = sizeof(*header) + header->len;

    memmove(xs->in, xs->in + len, xs->in_len - len);
    xs->in_len -= len;
}

static int read_some(struct xsc *xs)
{
    struct xsd_sockmsg header;
    ssize_t n;

    if (xs->in_cap - xs->in_len < sizeof(header) + XENSTORE_PAYLOAD_MAX) {
        size_t cap = xs->in_cap + 4 * XENSTORE_PAYLOAD_MAX;
        char *in = realloc(xs->in, cap);

        if (!in) {
            return -ENOMEM;
        }
        xs->in = in;
        xs->in_cap = cap;
    }
    n = read(xs->fd, xs->in + xs->in_len, xs->in_cap - xs->in_len);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }
    if (n <= 0) {
        return -ECONNRESET;
    }
    xs->in_len += (size_t)n;
    if (xs->in_len >= sizeof(header)) {
        memcpy(&header, xs->in, sizeof(header));
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            return -EPROTO;
        }
    }
    return 0;
}

/* "path|token|" */
static int queue_event(struct xsc *xs, const char *body, size_t len)
{
    const char *nul = memchr(body, '\0', len);
    struct queued *q;
    char *text;

    if (!nul || nul == body + len - 1 || body[len - 1] != '\0') {
        return -EPROTO;
    }
    q = malloc(sizeof(*q));
    if (!q) {
        return -ENOMEM;
    }
    q->next = NULL;
    q->event = malloc(sizeof(*q->event) + len);
    if (!q->event) {
        free(q);
        return -ENOMEM;
    }
    text = (char *)(q->event + 1);
    memcpy(text, body, len);
    q->event->path = text;
    q->event->token = text + (nul - body) + 1;
    *xs->last = q;
    xs->last = &q->next;
    return 0;
}

/* Moves events from the front of what was received to the queue. */
static int sort_events(struct xsc *xs)
{
    struct xsd_sockmsg header;
    int rc = 0;

    while (rc == 0 && first_message(xs, &header) && header.type == XS_WATCH_EVENT) {
        rc = queue_event(xs, xs->in + sizeof(header), header.len);
        drop_message(xs, &header);
    }
    return rc;
}

int xsc_receive(struct xsc *xs, int timeout_ms)
{
    struct pollfd p = {.fd = xs->fd, .events = POLLIN};
    int n = poll(&p, 1, timeout_ms);
    int rc;

    if (n == 0 || (n < 0 && errno == EINTR)) {
        return 0;
    }
    rc = read_some(xs);
    return rc < 0 ? rc : sort_events(xs);
}

static int error_of(const char *text)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++) {
        if (strcmp(xsd_errors[i].errstring, text) == 0) {
            return -xsd_errors[i].errnum;
        }
    }
    return -EINVAL;
}

int xsc_wait_answer(struct xsc *xs, uint32_t req, char **reply, size_t *len)
{
    struct xsd_sockmsg header;
    char *text;
    int rc = sort_events(xs);

    while (rc == 0 && !(first_message(xs, &header) && header.req_id == req)) {
        if (first_message(xs, &header)) {
            drop_message(xs, &header); /* the answer to a request that was given up */
            rc = sort_events(xs);
        } else {
            rc = read_some(xs);
            rc = rc < 0 ? rc : sort_events(xs);
        }
    }
    if (rc < 0) {
        return rc;
    }
    text = malloc(header.len + 1);
    if (!text) {
        return -ENOMEM;
    }
    memcpy(text, xs->in + sizeof(header), header.len);
    text[header.len] = '\0';
    drop_message(xs, &header);
    /* Events may have come right behind it, and poll() will not tell of them again. */
    rc = sort_events(xs);
    if (rc == 0 && header.type == XS_ERROR) {
        rc = error_of(text);
    }
    if (rc < 0) {
        free(text);
        return rc;
    }
    if (len) {
        *len = header.len;
    }
    if (reply) {
        *reply = text;
    } else {
        free(text);
    }
    return 0;
}

int xsc_request_once(struct xsc *xs, uint32_t type, uint32_t real_tx, const struct iovec *parts,
                     int count, char **reply, size_t *len)
{
    struct xsd_sockmsg header = {.type = type, .req_id = xs->next_req++, .tx_id = real_tx};
    int rc;

    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > XENSTORE_PAYLOAD_MAX - header.len) {
            return -E2BIG;
        }
        header.len += (uint32_t)parts[i].iov_len;
    }
    if (xs->fd < 0) {
        return -ECONNRESET;
    }
    rc = send_message(xs, &header, parts, count);
    return rc < 0 ? rc : xsc_wait_answer(xs, header.req_id, reply, len);
}

/* --- reconnecting ---------------------------------------------------------------------------- */

static int watch_all_again(struct xsc *xs)
{
    int rc = 0;

    for (struct watched *w = xs->watches; w && rc != -ECONNRESET; w = w->next) {
        rc = xsc_watch_once(xs, w);
    }
    return rc == -ECONNRESET ? rc : 0;
}

int xsc_reconnect(struct xsc *xs)
{
    uint64_t until = now_ms() + xs->retry_ms;
    int rc = -ECONNRESET;

    if (xs->retry_ms == 0) {
        return rc;
    }
    for (struct open_tx *t = xs->txs; t; t = t->next) {
        t->real = 0;
    }
    while (rc < 0 && now_ms() < until) {
        if (xs->fd >= 0) {
            close(xs->fd);
            xs->fd = -1;
        }
        xs->in_len = 0;
        xsc_forget_posted(xs);
        rc = xsc_connect(xs);
        if (rc == 0) {
            rc = watch_all_again(xs);
        }
        if (rc < 0) {
            poll(NULL, 0, RETRY_PAUSE);
        }
    }
    return rc < 0 ? -ECONNRESET : 0;
}
