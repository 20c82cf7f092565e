/*
 * Settings below /proc/sys/net. Contract: sysctl.h.
 */
#include "network/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_setting(const char *path, int mode, struct error *err)
{
    char full[512];
    int fd;

    if (snprintf(full, sizeof(full), "/proc/sys/net/%s", path) >= (int)sizeof(full)) {
        return fail(err, ENAMETOOLONG, "%s is too long for a setting.", path);
    }
    fd = open(full, mode | O_CLOEXEC);
    return fd >= 0 ? fd
                   : fail(err, errno, "The setting net/%s cannot be opened: %s.", path,
                          strerror(errno));
}

int sysctl_get(const char *path, char *value, size_t size, struct error *err)
{
    int fd = open_setting(path, O_RDONLY, err), saved;
    ssize_t n;

    if (fd < 0) {
        return fd;
    }
    n = read(fd, value, size);
    saved = errno;
    close(fd);
    if (n < 0) {
        return fail(err, saved, "The setting net/%s cannot be read: %s.", path, strerror(saved));
    }
    if ((size_t)n == size) {
        return fail(err, ENOSPC, "The setting net/%s is longer than expected.", path);
    }
    value[n] = '\0';
    value[strcspn(value, "\n")] = '\0';
    return 0;
}

int sysctl_set(const char *path, const char *value, struct error *err)
{
    int fd = open_setting(path, O_WRONLY, err), saved;
    ssize_t n;

    if (fd < 0) {
        return fd;
    }
    n = write(fd, value, strlen(value));
    saved = errno;
    close(fd);
    return n >= 0 ? 0
                  : fail(err, saved, "The setting net/%s cannot be %s: %s.", path, value,
                         strerror(saved));
}
