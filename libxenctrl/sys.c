/*
 * sys.c: the system calls through which the library reaches Linux's Xen drivers, behind one table,
 * so that the unit tests can put a machine of their own in their place.
 *
 * Read private.h first.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libxenctrl/private.h"

static int linux_open(const char *path, int flags)
{
    return open(path, flags | O_CLOEXEC);
}

static int linux_ioctl(int fd, unsigned long request, void *argument)
{
    int r;

    do {
        r = ioctl(fd, request, argument);
    } while (r < 0 && errno == EINTR);
    return r;
}

static void *linux_mmap(size_t length, int prot, int flags, int fd, off_t offset)
{
    return mmap(NULL, length, prot, flags, fd, offset);
}

static const struct xc_sys linux_sys = {
    .open = linux_open,
    .close = close,
    .ioctl = linux_ioctl,
    .mmap = linux_mmap,
    .munmap = munmap,
    .read = read,
    .write = write,
};

const struct xc_sys *xc_sys = &linux_sys;
