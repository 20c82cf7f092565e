/*
 * A hypervisor made of files, for tests only (compiled with XENSTORED_FAKE, never into the daemon
 * that is installed). Read platform.h first.
 *
 * In the directory $XENSTORED_FAKE_DIR: "ring-N" is the store page of domain N, "dom-N" exists
 * while domain N does (its content may be "stopped" or "dying"), and a datagram of one 32-bit port
 * sent to the socket "evtchn" is an event. The port of domain N is N + 10, that of VIRQ_DOM_EXC
 * is 1. A test can wait for our events on the socket "notify-N", if it makes one.
 */
#include "xenstored/platform.h"
#include "xenstored/crashpoint.h"
#include "xenstored/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_BASE 10u
#define PAGE      4096u

static int event_socket = -1;

void crash_point(void)
{
    static long left = -1;
    static bool asked;
    const char *at;

    if (!asked) {
        asked = true;
        at = getenv("XENSTORED_CRASH_AT");
        left = at ? atol(at) : -1;
    }
    if (left > 0 && --left == 0) {
        kill(getpid(), SIGKILL);
    }
}

static void fake_path(char *out, size_t size, const char *name, unsigned n)
{
    const char *dir = getenv("XENSTORED_FAKE_DIR");

    snprintf(out, size, "%s/%s%.0u", dir ? dir : ".", name, n);
    if (n == 0 && name[strlen(name) - 1] == '-') {
        strcat(out, "0");
    }
}

static int fake_init(int event_fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (event_fd >= 0) {
        event_socket = event_fd;
        return 0;
    }
    fake_path(addr.sun_path, sizeof(addr.sun_path), "evtchn", 0);
    unlink(addr.sun_path);
    event_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (event_socket < 0 || bind(event_socket, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        return -errno;
    }
    return 0;
}

static int fake_event_fd(void)
{
    return event_socket;
}

static int fake_bind(unsigned remote_domid, uint32_t remote_port)
{
    return (int)(remote_domid + PORT_BASE);
}

static int fake_bind_virq(unsigned virq)
{
    return 1;
}

static void fake_unbind(uint32_t port)
{
}

static void fake_notify(uint32_t port)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    fake_path(addr.sun_path, sizeof(addr.sun_path), "notify-", port - PORT_BASE);
    if (access(addr.sun_path, F_OK) == 0) {
        sendto(event_socket, &port, sizeof(port), MSG_DONTWAIT, (struct sockaddr *)&addr,
               sizeof(addr));
    }
}

static int fake_pending(uint32_t *ports, unsigned max)
{
    unsigned n = 0;

    while (n < max && recv(event_socket, &ports[n], sizeof(*ports), MSG_DONTWAIT) == 4) {
        n++;
    }
    return (int)n;
}

static struct xenstore_domain_interface *fake_map(unsigned domid, int *error)
{
    char path[256];
    void *page;
    int fd;

    fake_path(path, sizeof(path), "ring-", domid);
    fd = open(path, O_RDWR | O_CLOEXEC);
    *error = -errno;
    if (fd < 0) {
        return NULL;
    }
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *error = -errno;
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

static void fake_unmap(unsigned domid, struct xenstore_domain_interface *page)
{
    munmap(page, PAGE);
}

static int fake_dom0_port(void)
{
    return 1;
}

static int fake_domain_state(unsigned domid, struct domain_state *state)
{
    char path[256], text[16] = "";
    ssize_t n;
    int fd;

    fake_path(path, sizeof(path), "dom-", domid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -ENOENT;
    }
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    state->dying = strcmp(text, "dying") == 0;
    state->stopped = state->dying || strcmp(text, "stopped") == 0;
    return 0;
}

const struct platform platform_fake = {
    .init = fake_init,
    .event_fd = fake_event_fd,
    .bind = fake_bind,
    .bind_virq = fake_bind_virq,
    .unbind = fake_unbind,
    .notify = fake_notify,
    .pending = fake_pending,
    .map = fake_map,
    .unmap = fake_unmap,
    .dom0_port = fake_dom0_port,
    .domain_state = fake_domain_state,
};
