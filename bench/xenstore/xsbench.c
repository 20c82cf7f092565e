/*
 * xsbench: how many operations or transactions a second does a store daemon answer?
 *
 * usage: xsbench SOCKET WHAT CLIENTS SECONDS [NODES [WATCHES]]
 *        xsbench SOCKET WHAT CLIENTS xCOUNT [NODES [WATCHES]]
 *
 * The second form has each client do it COUNT times, for counting the daemon's instructions, and
 * prints the operations done. Each client first sets WATCHES watches (0 if not given) on nodes that
 * nobody writes, as backends and tools have many set.
 *
 * CLIENTS processes, each with a connection of its own and its own part of the store (NODES nodes,
 * 50 if not given), do WHAT again and again, waiting for each answer: read, write, directory, mkrm
 * (create and remove a node), watch (set a watch, take its event, unset it), tx (a transaction that
 * reads one node and writes two), xentx (one as a backend's setup makes it: 4 reads, 8 writes, 1
 * permission), piped (writes, of which PIPED are under way at a time, as a kernel with many drivers
 * does it). The number printed is the total of all clients a second; for tx and xentx it counts
 * transactions, conflicts not included. The client speaks the wire protocol by itself, so that no
 * library's cost is measured.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#define MAX_CLIENTS 1024

struct shared {
    volatile bool go, stop;
    volatile unsigned ready;
    struct {
        uint64_t done;
        char pad[56];
    } client[MAX_CLIENTS];
};

static struct shared *shared;
static int sock;
static unsigned id, nodes = 50, watches, serial;
static uint64_t count; /* 0: until shared->stop */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* One message, whole or in pieces as it comes. */
static uint32_t receive(char *body, uint32_t *type)
{
    static char buffer[65536];
    static size_t have;
    struct xsd_sockmsg h;

    for (;;) {
        if (have >= sizeof(h)) {
            memcpy(&h, buffer, sizeof(h));
            if (have >= sizeof(h) + h.len) {
                memcpy(body, buffer + sizeof(h), h.len);
                have -= sizeof(h) + h.len;
                memmove(buffer, buffer + sizeof(h) + h.len, have);
                *type = h.type;
                return h.len;
            }
        }
        ssize_t n = read(sock, buffer + have, sizeof(buffer) - have);

        if (n <= 0) {
            fail("read");
        }
        have += (size_t)n;
    }
}

/* A request and its answer; false if that is an error. */
static bool call(uint32_t type, uint32_t tx, const void *payload, size_t len, char *answer)
{
    static char message[8192], body[8192];
    struct xsd_sockmsg h = {.type = type, .tx_id = tx, .len = (uint32_t)len};
    uint32_t got;

    memcpy(message, &h, sizeof(h));
    memcpy(message + sizeof(h), payload, len);
    if (write(sock, message, sizeof(h) + len) != (ssize_t)(sizeof(h) + len)) {
        fail("write");
    }
    do {
        receive(answer ? answer : body, &got);
    } while (got == XS_WATCH_EVENT);
    return got != XS_ERROR;
}

static size_t node_path(char *out, unsigned n)
{
    return (size_t)sprintf(out, "/local/domain/%u/device/vif/0/node-%u", 1000 + id, n % nodes) + 1;
}

static void write_node(uint32_t tx, unsigned n)
{
    char p[256];
    size_t len = node_path(p, n);

    len += (size_t)sprintf(p + len, "value-%u", serial++);
    if (!call(XS_WRITE, tx, p, len, NULL)) {
        errno = EPROTO;
        fail("the store refused a write");
    }
}

static void read_node(uint32_t tx, unsigned n)
{
    char p[256];

    call(XS_READ, tx, p, node_path(p, n), NULL);
}

static bool transaction(unsigned reads, unsigned writes, bool perms)
{
    char answer[8192], p[256];
    uint32_t tx;

    call(XS_TRANSACTION_START, 0, "", 1, answer);
    tx = (uint32_t)strtoul(answer, NULL, 10);
    for (unsigned i = 0; i < reads; i++) {
        read_node(tx, serial + i);
    }
    for (unsigned i = 0; i < writes; i++) {
        write_node(tx, serial + i);
    }
    if (perms) {
        size_t len = node_path(p, serial);

        memcpy(p + len, "n0\0r1", 6);
        call(XS_SET_PERMS, tx, p, len + 6, NULL);
    }
    return call(XS_TRANSACTION_END, tx, "T", 2, NULL);
}

#define PIPED 16u

/* Sends some writes in one piece and waits for all the answers. */
static void piped(void)
{
    static char out[PIPED * 512], body[8192];
    size_t len = 0;
    uint32_t type;

    for (unsigned i = 0; i < PIPED; i++) {
        struct xsd_sockmsg h = {.type = XS_WRITE};
        char *payload = out + len + sizeof(h);

        h.len = (uint32_t)node_path(payload, serial);
        h.len += (uint32_t)sprintf(payload + h.len, "value-%u", serial++);
        memcpy(out + len, &h, sizeof(h));
        len += sizeof(h) + h.len;
    }
    if (write(sock, out, len) != (ssize_t)len) {
        fail("write");
    }
    for (unsigned i = 0; i < PIPED; i++) {
        receive(body, &type);
    }
}

static bool once(const char *what)
{
    char p[256];
    uint32_t type;
    size_t len;

    if (strcmp(what, "read") == 0) {
        read_node(0, serial++);
    } else if (strcmp(what, "write") == 0) {
        write_node(0, serial);
    } else if (strcmp(what, "directory") == 0) {
        len = (size_t)sprintf(p, "/local/domain/%u/device/vif/0", 1000 + id) + 1;
        call(XS_DIRECTORY, 0, p, len, NULL);
    } else if (strcmp(what, "mkrm") == 0) {
        len = (size_t)sprintf(p, "/local/domain/%u/device/vif/0/new", 1000 + id) + 1;
        call(XS_MKDIR, 0, p, len, NULL);
        call(XS_RM, 0, p, len, NULL);
    } else if (strcmp(what, "watch") == 0) {
        static char body[8192];

        len = node_path(p, serial++);
        memcpy(p + len, "token", 6);
        call(XS_WATCH, 0, p, len + 6, NULL);
        receive(body, &type);
        call(XS_UNWATCH, 0, p, len + 6, NULL);
    } else if (strcmp(what, "piped") == 0) {
        piped();
    } else if (strcmp(what, "tx") == 0) {
        return transaction(1, 2, false);
    } else if (strcmp(what, "xentx") == 0) {
        return transaction(4, 8, true);
    } else {
        fprintf(stderr, "xsbench: what is '%s'?\n", what);
        exit(2);
    }
    return true;
}

static void set_watch(unsigned n)
{
    char p[256];
    size_t len = (size_t)sprintf(p, "/local/domain/0/backend/vif/%u/%u/state", 1000 + id, n) + 1;

    memcpy(p + len, "token", 6);
    call(XS_WATCH, 0, p, len + 6, NULL);
}

static void client(const char *path, const char *what)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    uint64_t done = 0;

    strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
    sock = socket(AF_UNIX, SOCK_STREAM, 0);
    while (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        if (errno != EAGAIN && errno != ECONNREFUSED) {
            fail(path);
        }
        usleep(1000);
    }
    for (unsigned i = 0; i < nodes; i++) {
        write_node(0, i);
    }
    for (unsigned i = 0; i < watches; i++) {
        set_watch(i);
    }
    __atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
    while (!shared->go) {
        usleep(1000);
    }
    while (!shared->stop && (count == 0 || done < count)) {
        done += once(what) ? (strcmp(what, "piped") == 0 ? PIPED : 1) : 0;
        shared->client[id].done = done;
    }
    exit(0);
}

/* Waits for the clients' ends; prints how much they have done. */
static int finish_count(unsigned clients)
{
    uint64_t total = 0;

    while (wait(NULL) > 0) {
    }
    for (unsigned i = 0; i < clients; i++) {
        total += shared->client[i].done;
    }
    printf("%llu\n", (unsigned long long)total);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned clients = argc > 4 ? (unsigned)atoi(argv[3]) : 0;
    double seconds = argc > 4 ? atof(argv[4]) : 0;
    bool counting = argc > 4 && argv[4][0] == 'x';
    struct timespec a, b;
    uint64_t total = 0;

    if (counting) {
        count = strtoull(argv[4] + 1, NULL, 10);
    }
    if (clients < 1 || clients > MAX_CLIENTS || (counting ? count == 0 : seconds <= 0)) {
        fprintf(stderr, "usage: xsbench SOCKET WHAT CLIENTS SECONDS|xCOUNT [NODES [WATCHES]]\n");
        return 2;
    }
    if (argc > 5) {
        nodes = (unsigned)atoi(argv[5]);
    }
    if (argc > 6) {
        watches = (unsigned)atoi(argv[6]);
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (id = 0; id < clients; id++) {
        pid_t pid = fork();

        if (pid < 0) {
            fail("fork");
        }
        if (pid == 0) {
            client(argv[1], argv[2]);
        }
    }
    while (shared->ready < clients) {
        if (waitpid(-1, NULL, WNOHANG) > 0) {
            return 1;
        }
        usleep(1000);
    }
    clock_gettime(CLOCK_MONOTONIC, &a);
    shared->go = true;
    if (counting) {
        return finish_count(clients);
    }
    usleep((useconds_t)(seconds * 1e6));
    for (unsigned i = 0; i < clients; i++) {
        total += shared->client[i].done;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    shared->stop = true;
    while (wait(NULL) > 0) {
    }
    printf("%.0f\n",
           (double)total / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9));
    return 0;
}
