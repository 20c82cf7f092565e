/*
 * Those who read consoles: the pty and the clients of the socket. Read console.h first.
 */
#include "xenconsoled/console.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <termios.h>
#include <unistd.h>

/* ---- fifo ---- */

static void fifo_resize(struct fifo *f, size_t cap)
{
    char *p = xmalloc(cap);
    size_t head = min_size(f->len, f->cap - f->first);

    if (f->len) {
        memcpy(p, f->p + f->first, head);
        memcpy(p + head, f->p, f->len - head);
    }
    free(f->p);
    f->p = p;
    f->first = 0;
    f->cap = cap;
}

void fifo_put(struct fifo *f, const char *data, size_t len, size_t max)
{
    size_t at, head;

    if (len > max) {
        data += len - max;
        len = max;
    }
    if (f->len + len > f->cap && f->cap < max) {
        fifo_resize(f, min_size(max, (f->len + len) * 2));
    }
    if (f->len + len > f->cap) {
        size_t drop = f->len + len - f->cap;

        f->first = (f->first + drop) % f->cap;
        f->len -= drop;
    }
    at = (f->first + f->len) % f->cap;
    head = min_size(len, f->cap - at);
    memcpy(f->p + at, data, head);
    memcpy(f->p, data + head, len - head);
    f->len += len;
}

/* The bytes at the front that lie in one piece. */
static const char *fifo_front(const struct fifo *f, size_t *len)
{
    *len = min_size(f->len, f->cap - f->first);
    return f->p + f->first;
}

static void fifo_drop(struct fifo *f, size_t len)
{
    f->first = f->cap ? (f->first + len) % f->cap : 0;
    f->len -= len;
}

void fifo_free(struct fifo *f)
{
    free(f->p);
    *f = (struct fifo){0};
}

/* --- one reader ------------------------------------------------------------------------------ */

static struct reader *add(struct console *con, enum reader_kind kind, int fd)
{
    struct reader *r = xcalloc(1, sizeof(*r));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = r};

    r->console = con;
    r->kind = kind;
    r->fd = fd;
    r->interest = EPOLLIN;
    list_append(&con->readers, &r->link);
    if (epoll_ctl(console_epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
        log_msg(LOG_ERR, "cannot poll a console of domain %u: %m", con->domid);
    }
    return r;
}

static void destroy(struct reader *r)
{
    if (r->kind == READER_SOCKET) {
        r->console->clients--;
    }
    close(r->fd);
    list_remove(&r->link);
    fifo_free(&r->out);
    free(r);
}

/* Writes what it takes. */
static void push(struct reader *r)
{
    while (r->out.len > 0) {
        size_t len;
        const char *p = fifo_front(&r->out, &len);
        ssize_t n = r->kind == READER_PTY ? write(r->fd, p, len)
                                          : send(r->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n <= 0) {
            r->broken = n < 0 && errno != EAGAIN && errno != EINTR && r->kind == READER_SOCKET;
            return;
        }
        fifo_drop(&r->out, (size_t)n);
    }
}

static void update(struct reader *r)
{
    uint32_t want = r->out.len ? EPOLLOUT : 0;
    struct epoll_event e = {.data.ptr = r};

    if (r->kind == READER_LISTEN || console_input_room(r->console) > 0 || r->console->dead) {
        want |= EPOLLIN;
    }
    if (want != r->interest) {
        e.events = want;
        epoll_ctl(console_epoll, EPOLL_CTL_MOD, r->fd, &e);
        r->interest = want;
    }
}

/* --- all of a console's ---------------------------------------------------------------------- */

void reader_give_all(struct console *con, const char *data, size_t len)
{
    struct list *pos;

    list_each(pos, &con->readers)
    {
        struct reader *r = container_of(pos, struct reader, link);

        if (r->kind != READER_LISTEN) {
            fifo_put(&r->out, data, len, READER_MAX);
            push(r);
        }
    }
}

void reader_update_all(struct console *con)
{
    struct list *pos, *tmp;

    list_each_safe(pos, tmp, &con->readers)
    {
        struct reader *r = container_of(pos, struct reader, link);

        if (!r->broken) {
            update(r);
        }
    }
}

bool reader_all_done(const struct console *con)
{
    struct list *pos;

    list_each(pos, &con->readers)
    {
        const struct reader *r = container_of(pos, struct reader, link);

        if (r->out.len > 0 && !r->broken) {
            return false;
        }
    }
    return true;
}

void reader_close_all(struct console *con)
{
    while (!list_empty(&con->readers)) {
        destroy(list_first(&con->readers, struct reader, link));
    }
    if (con->slave_fd >= 0) {
        close(con->slave_fd);
        con->slave_fd = -1;
    }
    if (con->socket_path[0] && !console_find(con->domid)) {
        unlink(con->socket_path);
    }
}

/* ---- opening ---- */

int reader_open_pty(struct console *con, char *name, size_t size)
{
    struct termios term;
    int master, slave;

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0) {
        log_msg(LOG_ERR, "cannot make a pty for domain %u: %m", con->domid);
        return -errno;
    }
    if (ptsname_r(master, name, size) != 0 || tcgetattr(slave, &term) < 0) {
        close(master);
        close(slave);
        return -EIO;
    }
    cfmakeraw(&term);
    tcsetattr(slave, TCSANOW, &term);
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
    con->slave_fd = slave;
    add(con, READER_PTY, master);
    return 0;
}

int reader_open_socket(struct console *con)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, n, rc;

    n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%u.sock", console_socket_dir,
                 con->domid);
    if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
        return -ENAMETOOLONG;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unlink(addr.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        chmod(addr.sun_path, 0600) < 0 || listen(fd, 16) < 0) {
        rc = -errno;
        log_msg(LOG_ERR, "cannot listen on %s: %s", addr.sun_path, strerror(-rc));
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    strcpy(con->socket_path, addr.sun_path);
    add(con, READER_LISTEN, fd);
    return 0;
}

static void accept_client(struct reader *listener)
{
    struct console *con = listener->console;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct reader *r;
    size_t len;
    const char *p;

    if (fd < 0) {
        return;
    }
    if (con->clients >= READERS_MAX) {
        close(fd);
        return;
    }
    con->clients++;
    r = add(con, READER_SOCKET, fd);
    p = fifo_front(&con->scrollback, &len);
    if (con->scrollback.len) {
        fifo_put(&r->out, p, len, READER_MAX);
        fifo_put(&r->out, con->scrollback.p, con->scrollback.len - len, READER_MAX);
    }
    push(r);
    update(r);
}

/* What a reader types goes to the guest, as far as there is room. */
static void take_input(struct reader *r)
{
    char data[1024];
    size_t room = console_input_room(r->console);
    ssize_t n;

    if (room == 0 && !r->console->dead) {
        return;
    }
    n = read(r->fd, data, room && room < sizeof(data) ? room : sizeof(data));
    if (n > 0 && room > 0) {
        console_input(r->console, data, (size_t)n);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR && errno != EIO)) {
        r->broken = r->kind == READER_SOCKET;
    }
}

void console_reader_event(struct reader *r, uint32_t events)
{
    struct console *con = r->console;

    if (r->kind == READER_LISTEN) {
        accept_client(r);
        return;
    }
    if (events & EPOLLIN) {
        take_input(r);
    }
    if (events & EPOLLOUT) {
        push(r);
    }
    if ((events & (EPOLLHUP | EPOLLERR)) && !(events & EPOLLIN) && r->kind == READER_SOCKET) {
        r->broken = true;
    }
    if (r->broken) {
        destroy(r);
    }
    reader_update_all(con);
}
