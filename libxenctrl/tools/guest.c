/*
 * guest.c: one guest's life in xc-selftest: build, introduce to xenstored, run with its console on
 * stdout, dump, destroy.
 *
 * Read xc-selftest.c first. The console is reached as xenconsoled reaches it: by the guest's grant
 * and an event channel. xenstored is told of the guest by one message on its socket.
 */
#include "libxenctrl/tools/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

#define STORE_SOCKET "/run/xenstored/socket"

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Send one message of @type to xenstored and take its answer. */
static int store_call(uint32_t type, const char *payload, size_t size)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = STORE_SOCKET};
    struct xsd_sockmsg message = {.type = type, .len = (uint32_t)size};
    char answer[256];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        write(fd, &message, sizeof(message)) != (ssize_t)sizeof(message) ||
        write(fd, payload, size) != (ssize_t)size ||
        read(fd, &message, sizeof(message)) != (ssize_t)sizeof(message)) {
        rc = -EIO;
    } else if (message.type == XS_ERROR) {
        ssize_t n = read(fd, answer, sizeof(answer) - 1);

        answer[n > 0 ? n : 0] = '\0';
        printf("xenstored says %s\n", answer);
        rc = -EPROTO;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

static int store_introduce(const struct xc_build_result *g)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "/local/domain/%u%c", g->domid, 0);
    int rc = store_call(XS_MKDIR, text, (size_t)n);

    if (rc == 0) {
        n = snprintf(text, sizeof(text), "/local/domain/%u%cn%u%c", g->domid, 0, g->domid, 0);
        rc = store_call(XS_SET_PERMS, text, (size_t)n);
    }
    if (rc == 0) {
        n = snprintf(text, sizeof(text), "%u%c%llu%c%u%c", g->domid, 0,
                     (unsigned long long)g->xenstore_mfn, 0, g->xenstore_port, 0);
        rc = store_call(XS_INTRODUCE, text, (size_t)n);
    }
    return rc;
}

static void store_release(uint32_t domid)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%u%c", domid, 0);

    (void)store_call(XS_RELEASE, text, (size_t)n);
}

/* What the guest has written to its console since the last time, to stdout and to @tail. */
static bool drain(struct xencons_interface *ring, char *tail, size_t tail_size, const char *until)
{
    uint32_t cons = ring->out_cons, prod = __atomic_load_n(&ring->out_prod, __ATOMIC_ACQUIRE);
    size_t n = strlen(tail);

    if (prod - cons > sizeof(ring->out)) {
        cons = prod - (uint32_t)sizeof(ring->out);
    }
    for (; cons != prod; cons++) {
        char c = ring->out[MASK_XENCONS_IDX(cons, ring->out)];

        if (c != '\r') {
            (void)putchar(c);
        }
        if (n == tail_size - 1) {
            memmove(tail, tail + tail_size / 2, n - tail_size / 2);
            n -= tail_size / 2;
        }
        tail[n++] = c != '\0' ? c : ' ';
        tail[n] = '\0';
    }
    __atomic_store_n(&ring->out_cons, cons, __ATOMIC_RELEASE);
    return until != NULL && strstr(tail, until) != NULL;
}

struct console {
    struct xc_gnttab *gnttab;
    struct xc_evtchn *evtchn;
    struct xencons_interface *ring;
    uint32_t port;
};

static int console_open(struct console *c, const struct xc_build_result *g, char *why,
                        size_t why_size)
{
    const uint32_t ref = XC_GRANT_CONSOLE;

    if (xc_gnttab_open(&c->gnttab, why, why_size) < 0 ||
        xc_evtchn_open(&c->evtchn, why, why_size) < 0) {
        return -ENODEV;
    }
    c->ring = xc_gnttab_map(c->gnttab, g->domid, &ref, 1, PROT_READ | PROT_WRITE);
    if (c->ring == NULL) {
        (void)snprintf(why, why_size, "%s", xc_gnttab_error(c->gnttab));
        return -errno;
    }
    if (xc_evtchn_bind_interdomain(c->evtchn, g->domid, g->console_port, &c->port) < 0) {
        (void)snprintf(why, why_size, "%s", xc_evtchn_error(c->evtchn));
        return -EINVAL;
    }
    return 0;
}

static void console_close(struct console *c)
{
    if (c->ring != NULL && xc_gnttab_unmap(c->gnttab, c->ring, 1) < 0) {
        printf("%s\n", xc_gnttab_error(c->gnttab));
    }
    xc_evtchn_close(c->evtchn);
    xc_gnttab_close(c->gnttab);
}

/* Until the text appears, the guest stops, or time is over. */
static int run(struct xc_handle *h, const struct boot *boot, struct console *c, uint32_t domid,
               char *why, size_t why_size)
{
    double begin = now_s();
    char tail[512] = "";

    if (xc_domain_unpause(h, domid) < 0) {
        (void)snprintf(why, why_size, "%s", xc_error(h));
        return -EIO;
    }
    for (;;) {
        struct pollfd poll_fd = {.fd = xc_evtchn_fd(c->evtchn), .events = POLLIN};
        struct xc_domain_info info;
        uint32_t port;
        bool seen;

        (void)poll(&poll_fd, 1, 200);
        while (xc_evtchn_pending(c->evtchn, &port) == 0) {
            if (xc_evtchn_unmask(c->evtchn, port) < 0) {
                break;
            }
        }
        seen = drain(c->ring, tail, sizeof(tail), boot->until);
        if (xc_evtchn_notify(c->evtchn, c->port) < 0 || xc_domain_get_info(h, domid, &info) < 0) {
            (void)snprintf(why, why_size, "the guest is gone: %s", xc_error(h));
            return -ESRCH;
        }
        if (seen || (info.shutdown && boot->until == NULL)) {
            printf("\nguest ran for %.2f s%s\n", now_s() - begin,
                   info.shutdown ? ", shut down" : "");
            return 0;
        }
        if (info.shutdown || now_s() - begin > boot->timeout_s) {
            (void)snprintf(why, why_size, "the guest %s, reason %d, without saying \"%s\"",
                           info.shutdown ? "shut down" : "still runs", (int)info.shutdown_reason,
                           boot->until != NULL ? boot->until : "");
            return -ETIMEDOUT;
        }
    }
}

static void show_build(const struct xc_build_result *g, double seconds, uint64_t calls)
{
    printf("built domain %u (%s %s, %llu pages%s) in %.3f s with %llu calls:", g->domid,
           g->guest_os, g->guest_version, (unsigned long long)g->nr_pages,
           g->kernel_was_cached ? ", cached" : "", seconds, (unsigned long long)calls);
    for (enum xc_build_step s = 0; s < XC_STEP_COUNT; s++) {
        printf(" %s %.3f", xc_build_step_name(s), (double)g->step_ns[s] / 1e9);
    }
    printf("\n");
}

static int dump_core(struct xc_handle *h, uint32_t domid, const char *path, char *why,
                     size_t why_size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc;

    if (fd < 0) {
        (void)snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return -errno;
    }
    rc = xc_domain_pause(h, domid);
    if (rc == 0) {
        rc = xc_domain_dump_core(h, domid, fd, NULL, NULL);
    }
    if (rc < 0) {
        (void)snprintf(why, why_size, "%s", xc_error(h));
    }
    (void)close(fd);
    return rc;
}

int boot_guest(struct xc_handle *h, const struct boot *boot, char *why, size_t why_size)
{
    uint64_t calls = xc_hypercall_count(h);
    struct xc_build_result g;
    struct console c = {0};
    double begin = now_s();
    int rc = xc_build_pv(h, &boot->config, &g);

    if (rc < 0) {
        (void)snprintf(why, why_size, "%s", xc_error(h));
        return rc;
    }
    show_build(&g, now_s() - begin, xc_hypercall_count(h) - calls);
    if (boot->run) {
        rc = store_introduce(&g);
        if (rc < 0) {
            (void)snprintf(why, why_size, "xenstored doesn't take the guest: is it running?");
        }
        if (rc == 0) {
            rc = console_open(&c, &g, why, why_size);
        }
        if (rc == 0) {
            rc = run(h, boot, &c, g.domid, why, why_size);
        }
        if (rc == 0 && boot->dump != NULL) {
            rc = dump_core(h, g.domid, boot->dump, why, why_size);
        }
        console_close(&c);
    }
    if (xc_domain_destroy(h, g.domid) < 0) {
        (void)snprintf(why, why_size, "%s", xc_error(h));
        rc = -EIO;
    }
    if (boot->run) {
        store_release(g.domid);
    }
    return rc;
}
