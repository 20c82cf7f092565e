/*
 * stream: moves bytes as fast as it goes, and prints how fast: "bench NAME VALUE". bench/throughput
 * runs it in a guest, against the guest's disk and against `stream serve` in Domain 0.
 *
 *   stream disk DEVICE MIB       disk_read, disk_write (MiB/s, 1 MiB at a time, past the page
 *                                cache), disk_read_4k (requests/s, one after the other)
 *   stream net HOST PORT MIB     net_send, net_receive (MiB/s, TCP), net_pingpong (round trips/s)
 *   stream net HOST PORT MIB NAME    the same as NAME_send...; and NAME_packets: UDP packets of 64
 *                                bytes that arrive in a second, 128 of them on their way at once
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
#define PACKETS 20000u
#define SIZE    64u
#define WINDOW  128u         /* packets on their way... */
#define STEP    (WINDOW / 2) /* ...and after how many of them the other end says so */

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

/*
 * Packets that are counted where they arrive: each STEP of them is answered by one, so that nothing
 * need be lost. Packets that are lost all the same end the program.
 */
static void packets(const struct sockaddr_in *to, const char *name)
{
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    uint32_t packet[SIZE / sizeof(uint32_t)] = {0}, seen = 0;
    double start;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
        fail("connect");
    }
    start = now();
    for (uint32_t sent = 1; sent <= PACKETS; sent++) {
        packet[0] = sent;
        if (send(fd, packet, SIZE, 0) != SIZE) {
            fail("send");
        }
        while (sent - seen >= WINDOW || (sent == PACKETS && seen + STEP <= PACKETS)) {
            if (recv(fd, &seen, sizeof(seen), 0) != sizeof(seen)) {
                fail(name);
            }
        }
    }
    printf("bench %s_packets %.2f\n", name, seen / (now() - start));
    close(fd);
}

/*
 * The other end of packets(): how many have come since the first one of a sender. Answers come from
 * the address that was called: what came with the packet goes back with the answer.
 */
static void count_packets(uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)}, from;
    union {
        char space[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr align;
    } called;
    uint32_t packet[SIZE / sizeof(uint32_t)], count = 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) {
        fail("count");
    }
    for (;;) {
        struct iovec data = {packet, SIZE};
        struct msghdr msg = {.msg_name = &from,
                             .msg_namelen = sizeof(from),
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &called,
                             .msg_controllen = sizeof(called)};

        if (recvmsg(fd, &msg, 0) == SIZE) {
            count = packet[0] == 1 ? 1 : count + 1;
            if (count % STEP == 0) {
                struct in_pktinfo *info = (void *)CMSG_DATA(&called.align);

                info->ipi_ifindex = 0;
                data = (struct iovec){&count, sizeof(count)};
                sendmsg(fd, &msg, 0);
            }
        }
    }
}

/* One order, timed; the other side's last byte says that all of it has arrived. */
static void net_one(const struct sockaddr_in *to, char what, unsigned mib, const char *prefix,
                    const char *name)
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
    printf("bench %s_%s %.2f\n", prefix, name, (what == PING ? PINGS : mib) / (now() - start));
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
    signal(SIGCHLD, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 4 && strcmp(argv[1], "disk") == 0) {
        disk(argv[2], (unsigned)atoi(argv[3]));
    } else if ((argc == 5 || argc == 6) && strcmp(argv[1], "net") == 0 &&
               inet_pton(AF_INET, argv[2], &to.sin_addr) == 1) {
        const char *prefix = argc == 6 ? argv[5] : "net";

        to.sin_port = htons((uint16_t)atoi(argv[3]));
        net_one(&to, SEND, (unsigned)atoi(argv[4]), prefix, "send");
        net_one(&to, RECEIVE, (unsigned)atoi(argv[4]), prefix, "receive");
        net_one(&to, PING, 0, prefix, "pingpong");
        if (argc == 6) {
            packets(&to, prefix);
        }
    } else if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        if (fork() == 0) {
            count_packets((uint16_t)atoi(argv[2]));
        }
        serve((uint16_t)atoi(argv[2]));
    } else {
        fprintf(stderr, "usage: stream disk DEVICE MIB | net HOST PORT MIB [NAME] | serve PORT\n");
        return 2;
    }
    return 0;
}
