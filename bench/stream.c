/*
 * stream: moves bytes as fast as it goes, and prints how fast: "bench NAME VALUE". bench/throughput
 * runs it in a guest, against the guest's disk and against `stream serve` in Domain 0.
 *
 *   stream disk DEVICE MIB       disk_read, disk_write (MiB/s, 1 MiB at a time, past the page
 *                                cache), disk_read_4k (requests/s, one after the other)
 *   stream net HOST PORT MIB     net_send, net_receive (MiB/s, TCP), net_pingpong (round trips/s)
 *   stream serve PORT            the other end of `net`, for ever
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MIB     (1u << 20)
#define PINGS   1000u
#define SMALL   4096u
#define SMALLS  2000u
#define PIECE   65536u
#define SEND    's'
#define RECEIVE 'r'
#define PING    'p'

/* What a client asks the server for. */
struct order {
    char what;
    char pad[3];
    uint32_t mib;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* All of len bytes, with a system call that takes some of them. */
static bool whole(ssize_t (*call)(int fd, void *p, size_t n), int fd, void *p, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = call(fd, (char *)p + done, len - done);

        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static ssize_t do_write(int fd, void *p, size_t n)
{
    return write(fd, p, n);
}

static void disk(const char *path, unsigned mib)
{
    int fd = open(path, O_RDWR | O_DIRECT);
    char *p = aligned_alloc(SMALL, MIB);
    double start;

    if (fd < 0 || !p) {
        fail(path);
    }
    memset(p, 0x5a, MIB);
    start = now();
    for (unsigned i = 0; i < mib; i++) {
        if (!whole(do_write, fd, p, MIB)) {
            fail("write");
        }
    }
    if (fsync(fd) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        fail("fsync");
    }
    printf("bench disk_write %.2f\n", mib / (now() - start));
    start = now();
    for (unsigned i = 0; i < mib; i++) {
        if (!whole(read, fd, p, MIB)) {
            fail("read");
        }
    }
    printf("bench disk_read %.2f\n", mib / (now() - start));
    start = now();
    for (unsigned i = 0; i < SMALLS; i++) {
        off_t at = (off_t)(i * 2654435761u % (mib * (MIB / SMALL))) * SMALL;

        if (pread(fd, p, SMALL, at) != SMALL) {
            fail("pread");
        }
    }
    printf("bench disk_read_4k %.2f\n", SMALLS / (now() - start));
    close(fd);
}

/* The bytes themselves, in one direction. */
static bool move(ssize_t (*call)(int fd, void *p, size_t n), int fd, unsigned mib)
{
    static char piece[PIECE];

    for (unsigned i = 0; i < mib * (MIB / PIECE); i++) {
        if (!whole(call, fd, piece, PIECE)) {
            return false;
        }
    }
    return true;
}

static bool pings(int fd, bool first, unsigned count)
{
    char c = 'x';

    for (unsigned i = 0; i < count; i++) {
        if ((first && write(fd, &c, 1) != 1) || read(fd, &c, 1) != 1 ||
            (!first && write(fd, &c, 1) != 1)) {
            return false;
        }
    }
    return true;
}

/* One order, timed; the other side's last byte says that all of it has arrived. */
static void net_one(const struct sockaddr_in *to, char what, unsigned mib, const char *name)
{
    struct order order = {.what = what, .mib = mib};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    unsigned tries = 0;
    bool good;
    double start;
    char c;

    while (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
        if (++tries > 50) {
            fail("connect");
        }
        usleep(100000);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    start = now();
    good = whole(do_write, fd, &order, sizeof(order));
    if (what == PING) {
        good = good && pings(fd, true, PINGS);
    } else {
        good = good && (what == SEND ? move(do_write, fd, mib) && read(fd, &c, 1) == 1
                                     : move(read, fd, mib));
    }
    if (!good) {
        fail(name);
    }
    printf("bench %s %.2f\n", name, (what == PING ? PINGS : mib) / (now() - start));
    close(fd);
}

static void serve(uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd, on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, 4) < 0) {
        fail("serve");
    }
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        struct order order;
        bool good = whole(read, fd, &order, sizeof(order));

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (good && order.what == SEND) {
            good = move(read, fd, order.mib) && write(fd, "", 1) == 1;
        } else if (good && order.what == RECEIVE) {
            good = move(do_write, fd, order.mib);
        } else if (good) {
            good = pings(fd, false, PINGS);
        }
        close(fd);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4 && strcmp(argv[1], "disk") == 0) {
        disk(argv[2], (unsigned)atoi(argv[3]));
    } else if (argc == 5 && strcmp(argv[1], "net") == 0 &&
               inet_pton(AF_INET, argv[2], &to.sin_addr) == 1) {
        to.sin_port = htons((uint16_t)atoi(argv[3]));
        net_one(&to, SEND, (unsigned)atoi(argv[4]), "net_send");
        net_one(&to, RECEIVE, (unsigned)atoi(argv[4]), "net_receive");
        net_one(&to, PING, 0, "net_pingpong");
    } else if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        serve((uint16_t)atoi(argv[2]));
    } else {
        fprintf(stderr, "usage: stream disk DEVICE MIB | net HOST PORT MIB | serve PORT\n");
        return 2;
    }
    return 0;
}
