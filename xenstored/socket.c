/*
 * Sockets: listening, reading requests, sending answers. Read transport.h first.
 *
 * One recv takes what has come, be it a hundred requests; all of them are handled, and one send
 * carries all the answers.
 */
#include "xenstored/loop.h"
#include "xenstored/persist.h"
#include "xenstored/transport.h"
#include "xenstored/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define READ_SIZE 16384u
#define OUT_LIMIT (1u << 20) /* a client that doesn't read what it asks for isn't read either */
#define BACKLOG   128

static int listen_fd = -1;

size_t stream_missing(const struct conn *c, bool *bad)
{
    size_t have = c->in.len - c->in_head;
    struct xsd_sockmsg header;

    if (have < sizeof(header)) {
        return sizeof(header) - have;
    }
    memcpy(&header, c->in.p + c->in_head, sizeof(header));
    if (header.len > XENSTORE_PAYLOAD_MAX) {
        *bad = true;
        return 0;
    }
    return sizeof(header) + header.len > have ? sizeof(header) + header.len - have : 0;
}

int socket_listen_fd(void)
{
    return listen_fd;
}

int socket_listen(const char *path, int inherited_fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int rc;

    listen_fd = inherited_fd;
    if (listen_fd >= 0) {
        fcntl(listen_fd, F_SETFD, FD_CLOEXEC);
        return loop_add(listen_fd, NULL, LOOP_LISTEN);
    }
    if (strlen(path) >= sizeof(addr.sun_path)) {
        return -ENAMETOOLONG;
    }
    strcpy(addr.sun_path, path);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listen_fd < 0) {
        return -errno;
    }
    unlink(path);
    if (bind(listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || chmod(path, 0600) < 0 ||
        listen(listen_fd, BACKLOG) < 0) {
        rc = -errno;
        close(listen_fd);
        listen_fd = -1;
        return rc;
    }
    return loop_add(listen_fd, NULL, LOOP_LISTEN);
}

struct conn *socket_adopt(int fd)
{
    struct conn *c = conn_new(NULL, fd);

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    c->next_tx_id = 1;
    conn_request_flush(c); /* one that is adopted may have been in the middle of something */
    if (loop_add(fd, c, LOOP_CONN) < 0) {
        log_msg(LOG_ERR, "cannot poll a connection: %m");
    }
    return c;
}

void socket_accept(void)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        socket_adopt(fd);
    } else if (errno == EMFILE || errno == ENFILE) {
        log_msg(LOG_ERR, "cannot accept a connection: %m");
        usleep(1000);
    }
}

static void close_later(struct conn *c)
{
    c->closing = true;
    conn_request_flush(c);
}

/* Handles every complete request that has come. */
static void handle_all(struct conn *c)
{
    bool bad = false;

    while (!c->closing && !c->ignored && c->in.len > c->in_head && stream_missing(c, &bad) == 0 &&
           !bad) {
        struct xsd_sockmsg header;
        char *payload = c->in.p + c->in_head + sizeof(header);

        memcpy(&header, c->in.p + c->in_head, sizeof(header));
        c->in_head += sizeof(header) + header.len;
        wire_handle(c, &header, payload);
        persist_commit();
        if (conn_out_len(c) > OUT_LIMIT) {
            break;
        }
    }
    if (bad) {
        log_msg(LOG_ERR, "a client sent a message that is too long: its connection is closed");
        close_later(c);
        return;
    }
    if (c->in_head == c->in.len) {
        c->in.len = c->in_head = 0;
    }
}

static void receive(struct conn *c)
{
    ssize_t n;

    if (c->in_head) {
        memmove(c->in.p, c->in.p + c->in_head, c->in.len - c->in_head);
        c->in.len -= c->in_head;
        c->in_head = 0;
    }
    buf_reserve(&c->in, READ_SIZE / 2);
    n = recv(c->fd, c->in.p + c->in.len, c->in.cap - c->in.len, MSG_DONTWAIT);
    if (n > 0) {
        c->in.len += (size_t)n;
        handle_all(c);
        /* Not at the end of the turn: this client can go on while the next one is served. */
        if (!c->closing) {
            socket_send(c);
        }
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_later(c);
    }
}

void socket_event(struct conn *c, uint32_t events)
{
    if (c->closing) {
        return;
    }
    if (events & EPOLLOUT) {
        conn_request_flush(c);
    }
    if ((events & EPOLLIN) && conn_out_len(c) <= OUT_LIMIT) {
        receive(c);
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        close_later(c);
    }
}

/* Polls for what matters now: input unless the client is far behind, output if some is waiting. */
static void set_interest(struct conn *c)
{
    bool blocked = conn_out_len(c) > 0;
    uint32_t events = blocked ? EPOLLOUT : 0;

    if (conn_out_len(c) <= OUT_LIMIT) {
        events |= EPOLLIN;
    }
    if (blocked || c->write_blocked) {
        loop_change(c->fd, c, LOOP_CONN, events);
    }
    c->write_blocked = blocked;
}

void socket_send(struct conn *c)
{
    ssize_t n = 0;

    while (conn_out_len(c) > 0) {
        n = send(c->fd, conn_out_data(c), conn_out_len(c), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        conn_out_taken(c, (size_t)n);
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        if (!c->closing) {
            close_later(c);
        }
        return;
    }
    if (!c->closing) {
        set_interest(c);
        if (c->in.len > c->in_head && conn_out_len(c) <= OUT_LIMIT) {
            handle_all(c);
        }
    }
}
