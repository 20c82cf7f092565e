/*
 * Block devices for backends: loop devices for files. Contract: host.h.
 */
#include "xend/host.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Bind a free loop device to `backing`. Another program may take it first: try again. */
static int loop_bind(int backing, bool readonly, char **path)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int fd = -1, saved;

    if (control < 0) {
        return -errno;
    }
    for (int attempt = 0; attempt < 32; attempt++) {
        struct loop_config config = {.fd = (uint32_t)backing};
        int n = ioctl(control, LOOP_CTL_GET_FREE);

        if (n < 0) {
            break;
        }
        free(*path);
        *path = xprintf("/dev/loop%d", n);
        fd = open(*path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        if (fd < 0) {
            break;
        }
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (readonly ? LO_FLAGS_READ_ONLY : 0);
        if (ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
            close(control);
            return fd;
        }
        close(fd);
        fd = -1;
        if (errno != EBUSY) {
            break;
        }
    }
    saved = errno ? errno : EBUSY;
    close(control);
    return -saved;
}

static int file_open(const struct disk_spec *disk, uint32_t *maj, uint32_t *min, int *fd,
                     struct error *err)
{
    auto_str path = NULL;
    struct stat st;
    int backing = open(disk->path, (disk->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);

    if (backing < 0) {
        return fail(err, errno, "The image %s cannot be opened: %s.", disk->path, strerror(errno));
    }
    *fd = loop_bind(backing, disk->readonly, &path);
    close(backing);
    if (*fd < 0) {
        return fail(err, -*fd,
                    "No loop device could be made for %s (%s): load the module with modprobe "
                    "loop.",
                    disk->path, strerror(-*fd));
    }
    /* Past Domain 0's page cache where the filesystem can: a guest's flush is then the disk's. */
    ioctl(*fd, LOOP_SET_DIRECT_IO, 1ul);
    if (fstat(*fd, &st) != 0) {
        close(*fd);
        return fail(err, EIO, "The loop device %s cannot be read.", path);
    }
    *maj = major(st.st_rdev);
    *min = minor(st.st_rdev);
    return 0;
}

int host_disk_open(const struct disk_spec *disk, uint32_t *maj, uint32_t *min, int *fd,
                   struct error *err)
{
    struct disk_identity id;
    int rc = host_disk_identify(disk, &id, err);

    *fd = -1;
    if (rc != 0) {
        return rc;
    }
    if (!id.block) {
        return file_open(disk, maj, min, fd, err);
    }
    *maj = major(id.device);
    *min = minor(id.device);
    return 0;
}
