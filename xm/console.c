/*
 * The console of a domain on this terminal. Contract: command.h.
 *
 * xenconsoled serves each console on a pseudo terminal; this connects it with ours: bytes go
 * through both ways, ^] leaves. Several may be connected at once.
 */
#include "xm/command.h"

#include "xend/lib/alloc.h"
#include "xm/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x1d /* ^] */

static struct termios saved;
static bool raw;

static void restore(void)
{
    if (raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
        raw = false;
    }
}

static void make_raw(int fd, struct termios *old)
{
    struct termios t;

    if (tcgetattr(fd, &t) != 0) {
        return;
    }
    if (old != NULL) {
        *old = t;
    }
    cfmakeraw(&t);
    tcsetattr(fd, TCSANOW, &t);
}

static bool write_all(int fd, const char *data, size_t n)
{
    while (n > 0) {
        ssize_t r = write(fd, data, n);

        if (r < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};

            poll(&pfd, 1, 1000);
            continue;
        }
        if (r < 0 && errno != EINTR) {
            return false;
        }
        data += r > 0 ? r : 0;
        n -= r > 0 ? (size_t)r : 0;
    }
    return true;
}

/* What was typed: up to the escape character. False: leave. */
static bool typed(int tty, bool *open)
{
    char data[256];
    ssize_t n = read(STDIN_FILENO, data, sizeof(data));
    char *escape = n > 0 ? memchr(data, ESCAPE, (size_t)n) : NULL;

    if (n <= 0) {
        *open = false; /* the end of a pipe: go on showing */
        return n == 0 || errno == EINTR;
    }
    if (escape != NULL) {
        write_all(tty, data, (size_t)(escape - data));
        return false;
    }
    return write_all(tty, data, (size_t)n);
}

static void connect_both(int tty)
{
    bool open = true;

    for (;;) {
        struct pollfd fds[2] = {{.fd = tty, .events = POLLIN},
                                {.fd = open ? STDIN_FILENO : -1, .events = POLLIN}};
        char data[4096];

        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
            ssize_t n = read(tty, data, sizeof(data));

            if (n <= 0 && !(n < 0 && (errno == EINTR || errno == EAGAIN))) {
                return; /* the domain has ended */
            }
            if (n > 0 && !write_all(STDOUT_FILENO, data, (size_t)n)) {
                return;
            }
        }
        if ((fds[1].revents & (POLLIN | POLLHUP)) && !typed(tty, &open)) {
            return;
        }
    }
}

int console_run(const char *tty, int (*on_ready)(void *arg), void *arg, struct error *err)
{
    int fd = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        return fail(err, EIO, "The console %s cannot be opened: %s.", tty, strerror(errno));
    }
    make_raw(fd, NULL);
    if (isatty(STDIN_FILENO)) {
        fprintf(stderr, "Connected; ^] leaves.\n");
        make_raw(STDIN_FILENO, &saved);
        raw = true;
        atexit(restore);
    }
    if (on_ready == NULL || on_ready(arg) == XM_OK) {
        connect_both(fd);
    }
    restore();
    close(fd);
    return 0;
}

int cmd_console(struct args *args)
{
    auto_value tty = NULL;
    struct error err = {0};
    int rc = args_done(args);

    rc = rc ? rc : call("xend.domain.console", client_args("s", args->words[0]), &tty);
    return rc ? rc : report(console_run(value_text(tty, ""), NULL, NULL, &err), &err);
}
