/*
 * A store that does nothing: answers each request with "OK" (XS_TRANSACTION_START: "1"), whatever
 * it says. What a client gets from it is the most that the machine's sockets give anyone: epoll,
 * one recv and one send for whatever has come. bench/xenstore/run puts it beside the real ones.
 *
 * usage: null SOCKET
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#define EVENTS 64

static int epoll_fd;

static void add(int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

/* Answers what has come. This bench's clients send whole messages: what is left over is an error.
 */
static void serve(int fd)
{
    static char in[65536], out[sizeof(in)];
    ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
    size_t at = 0, len = 0;

    while (n > 0 && at + sizeof(struct xsd_sockmsg) <= (size_t)n) {
        struct xsd_sockmsg h;
        const char *answer;

        memcpy(&h, in + at, sizeof(h));
        at += sizeof(h) + h.len;
        answer = h.type == XS_TRANSACTION_START ? "1" : "OK";
        h.len = (uint32_t)strlen(answer) + 1;
        memcpy(out + len, &h, sizeof(h));
        memcpy(out + len + sizeof(h), answer, h.len);
        len += sizeof(h) + h.len;
    }
    if (n <= 0 || at != (size_t)n || send(fd, out, len, MSG_NOSIGNAL) != (ssize_t)len) {
        close(fd);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path)) {
        fprintf(stderr, "usage: null SOCKET\n");
        return 2;
    }
    strcpy(addr.sun_path, argv[1]);
    unlink(argv[1]);
    epoll_fd = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 128) < 0) {
        perror(argv[1]);
        return 1;
    }
    add(listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                add(accept(listener, NULL, NULL));
            } else {
                serve(events[i].data.fd);
            }
        }
    }
}
