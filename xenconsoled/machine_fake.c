/*
 * A machine made of files, for tests only (compiled with XENCONSOLED_FAKE). Read machine.h first.
 *
 * In the directory $XENCONSOLED_FAKE_DIR: "con-N" is the console page of domain N; a datagram of
 * one 32-bit port sent to the socket "con-evtchn" is an event. The port of domain N is N + 10.
 */
#include "xenconsoled/machine.h"
#include "xenstored/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/console.h>

static int event_socket = -1;

static const char *directory(void)
{
    const char *dir = getenv("XENCONSOLED_FAKE_DIR");

    return dir ? dir : ".";
}

static int fake_init(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/con-evtchn", directory());
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

static int fake_bind(unsigned domid, uint32_t remote_port)
{
    return (int)domid + 10;
}

static int fake_bind_virq(unsigned virq)
{
    return 1;
}

static void fake_port(uint32_t port)
{
}

static int fake_pending(uint32_t *ports, unsigned max)
{
    unsigned n = 0;

    while (n < max && recv(event_socket, &ports[n], sizeof(*ports), MSG_DONTWAIT) == 4) {
        n++;
    }
    return (int)n;
}

static struct xencons_interface *fake_map(unsigned domid, uint64_t gfn, int *error)
{
    char path[256];
    void *page;
    int fd;

    snprintf(path, sizeof(path), "%s/con-%u", directory(), domid);
    fd = open(path, O_RDWR | O_CLOEXEC);
    *error = -errno;
    if (fd < 0) {
        return NULL;
    }
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *error = -errno;
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

static void fake_unmap(struct xencons_interface *page)
{
    munmap(page, 4096);
}

static int fake_read_log(char *out, size_t size, uint32_t *index)
{
    return 0;
}

const struct machine machine_fake = {
    .init = fake_init,
    .event_fd = fake_event_fd,
    .bind = fake_bind,
    .bind_virq = fake_bind_virq,
    .unbind = fake_port,
    .notify = fake_port,
    .pending = fake_pending,
    .unmask = fake_port,
    .map = fake_map,
    .unmap = fake_unmap,
    .read_log = fake_read_log,
};
