/*
 * Lets Xen's own xenstored run without Xen, to compare with: preloaded, it takes the place of the
 * parts of libxenctrl, libxengnttab and libxenevtchn that xenstored calls, with the same hypervisor
 * made of files that xenstored/platform_fake.c describes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PORT_BASE 10

static int event_socket = -1;
static int handle; /* its address stands for every kind of handle */

static void fake_path(char *out, size_t size, const char *name, int n)
{
    const char *dir = getenv("XENSTORED_FAKE_DIR");

    if (n < 0) {
        snprintf(out, size, "%s/%s", dir ? dir : ".", name);
    } else {
        snprintf(out, size, "%s/%s%d", dir ? dir : ".", name, n);
    }
}

int open(const char *path, int flags, ...)
{
    static int (*next)(const char *, int, ...);
    char other[256];
    va_list ap;
    int mode;

    va_start(ap, flags);
    mode = va_arg(ap, int);
    va_end(ap);
    if (!next) {
        *(void **)&next = dlsym(RTLD_NEXT, "open");
    }
    if (strcmp(path, "/proc/xen/xsd_port") == 0) {
        fake_path(other, sizeof(other), "xsd_port", -1);
        path = other;
    } else if (strcmp(path, "/proc/xen/xsd_kva") == 0) {
        fake_path(other, sizeof(other), "ring-", 0);
        path = other;
    }
    return next(path, flags, mode);
}

xc_interface *xc_interface_open(xentoollog_logger *log, xentoollog_logger *dombuild, unsigned flags)
{
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch)
{
    return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned max, xc_dominfo_t *info)
{
    char path[256], text[16] = "";
    ssize_t n;
    int fd;

    fake_path(path, sizeof(path), "dom-", (int)first);
    memset(info, 0, sizeof(*info));
    fd = open(path, O_RDONLY, 0);
    if (fd < 0) {
        return 0;
    }
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    info->domid = first;
    info->dying = strcmp(text, "dying") == 0;
    info->shutdown = info->dying || strcmp(text, "stopped") == 0;
    return 1;
}

xengnttab_handle *xengnttab_open(xentoollog_logger *log, unsigned flags)
{
    return (xengnttab_handle *)&handle;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t max)
{
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    char path[256];
    void *page;
    int fd;

    fake_path(path, sizeof(path), "ring-", (int)domid);
    fd = open(path, O_RDWR, 0);
    if (fd < 0) {
        return NULL;
    }
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
    return munmap(start, 4096);
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *log, unsigned flags)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    fake_path(addr.sun_path, sizeof(addr.sun_path), "evtchn", -1);
    unlink(addr.sun_path);
    event_socket = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (event_socket < 0 || bind(event_socket, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        return NULL;
    }
    return (xenevtchn_handle *)&handle;
}

xenevtchn_handle *xenevtchn_fdopen(xentoollog_logger *log, int fd, unsigned flags)
{
    event_socket = fd;
    return (xenevtchn_handle *)&handle;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return event_socket;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                                                     evtchn_port_t port)
{
    return (int)domid + PORT_BASE;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned virq)
{
    return 1;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    uint32_t value = port;

    fake_path(addr.sun_path, sizeof(addr.sun_path), "notify-", (int)port - PORT_BASE);
    if (access(addr.sun_path, F_OK) == 0) {
        sendto(event_socket, &value, sizeof(value), MSG_DONTWAIT, (struct sockaddr *)&addr,
               sizeof(addr));
    }
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    uint32_t port;

    return recv(event_socket, &port, sizeof(port), 0) == 4 ? (int)port : -1;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    return 0;
}
