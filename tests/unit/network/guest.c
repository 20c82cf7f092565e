/*
 * Machines made of network namespaces. Contract: guest.h.
 */
#include "tests/unit/network/guest.h"

#include "xend/lib/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool ends_well(pid_t pid)
{
    int status = 1;

    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void guest_start(struct guest *g)
{
    int ready[2];
    char byte, path[64];

    assert_int_equal(pipe(ready), 0);
    g->pid = fork();
    assert_true(g->pid >= 0);
    if (g->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        byte = unshare(CLONE_NEWNET) == 0;
        if (write(ready[1], &byte, 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(ready[0]);
    close(ready[1]);
    snprintf(path, sizeof(path), "/proc/%d/ns/net", g->pid);
    g->space = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(g->space >= 0);
    shell_ok(g, "ip link set lo up");
}

void guest_end(struct guest *g)
{
    kill(g->pid, SIGKILL);
    waitpid(g->pid, NULL, 0);
    close(g->space);
}

/* In a child of ours; Domain 0 is where we are. */
static void enter(const struct guest *g)
{
    if (g != NULL && setns(g->space, CLONE_NEWNET) != 0) {
        _exit(99);
    }
}

static bool run(struct guest *g, const char *command)
{
    pid_t pid = fork();

    if (pid == 0) {
        enter(g);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(98);
    }
    return ends_well(pid);
}

bool shell(struct guest *g, const char *fmt, ...)
{
    char *command = NULL;
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    assert_true(vasprintf(&command, fmt, ap) >= 0);
    va_end(ap);
    ok = run(g, command);
    free(command);
    return ok;
}

bool shell_soon(struct guest *g, const char *command)
{
    for (int i = 0; i < 50; i++) {
        if (run(g, command)) {
            return true;
        }
        usleep(100000);
    }
    return false;
}

void guest_card(struct guest *g, const char *ifname, const char *mac)
{
    shell_ok(NULL, "ip link add %s type veth peer name tmp0 address %s", ifname, mac);
    shell_ok(NULL, "ip link set tmp0 netns %d", g->pid);
    shell_ok(g, "ip link set tmp0 name eth0 && ip link set eth0 up");
}

bool pings(struct guest *g, const char *address)
{
    return shell(g, "busybox ping -c 1 -W 2 %s >/dev/null 2>&1", address);
}

static int packet_socket(const char *ifname)
{
    struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct ifreq request = {.ifr_ifindex = 0};
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
    if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &request) != 0) {
        _exit(97);
    }
    where.sll_ifindex = request.ifr_ifindex;
    if (bind(fd, (struct sockaddr *)&where, sizeof(where)) != 0) {
        _exit(96);
    }
    return fd;
}

/* Ends with 0 if the frame comes in, 1 if it does not. */
static void listen_for(struct guest *g, const char *ifname, const uint8_t *frame, size_t size,
                       int ready)
{
    struct pollfd poll_fd = {.events = POLLIN};
    uint8_t got[2048], expected[2048];

    memcpy(expected, frame, size);
    if (frame[12] == 0x81 && frame[13] == 0) { /* the kernel shows VLAN tags beside the frame */
        size -= 4;
        memcpy(expected + 12, frame + 16, size - 12);
    }
    enter(g);
    poll_fd.fd = packet_socket(ifname);
    if (write(ready, "r", 1) != 1) {
        _exit(95);
    }
    while (poll(&poll_fd, 1, 300) > 0) {
        ssize_t n = recv(poll_fd.fd, got, sizeof(got), 0);

        if (n >= (ssize_t)size && memcmp(got, expected, size) == 0) {
            _exit(0);
        }
    }
    _exit(1);
}

bool frame_arrives(struct guest *from, const uint8_t *frame, size_t size, struct guest *to,
                   const char *ifname)
{
    int ready[2];
    pid_t listener, sender;
    char byte;

    assert_int_equal(pipe(ready), 0);
    listener = fork();
    if (listener == 0) {
        listen_for(to, ifname, frame, size, ready[1]);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    sender = fork();
    if (sender == 0) {
        enter(from);
        _exit(send(packet_socket("eth0"), frame, size, 0) != (ssize_t)size);
    }
    assert_true(ends_well(sender));
    return ends_well(listener);
}

int serve(struct guest *g, unsigned port, const char *line)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int ready[2], fd, one = 1;
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        enter(g);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        byte = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0;
        if (write(ready[1], &byte, 1) != 1) {
            _exit(1);
        }
        for (;;) {
            int caller = accept(fd, NULL, NULL);

            if (caller >= 0 && write(caller, line, strlen(line)) < 0) {
                _exit(1);
            }
            close(caller);
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

void serve_end(int pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

bool fetches(struct guest *g, const char *address, unsigned port, const char *line)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = 2};
    pid_t pid = fork();

    if (pid == 0) {
        char got[128] = "";
        ssize_t n = -1;
        int fd;

        enter(g);
        inet_pton(AF_INET, address, &to.sin_addr);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
            n = read(fd, got, sizeof(got) - 1);
        }
        _exit(n != (ssize_t)strlen(line) || strcmp(got, line) != 0);
    }
    return ends_well(pid);
}

bool has_link(const char *name)
{
    return shell(NULL, "ip link show %s >/dev/null 2>&1", name);
}

bool prints(const char *command, const char *text)
{
    FILE *in = popen(command, "r");
    char all[16384];
    size_t n;

    assert_non_null(in);
    n = fread(all, 1, sizeof(all) - 1, in);
    all[n] = '\0';
    pclose(in);
    return strstr(all, text) != NULL;
}
