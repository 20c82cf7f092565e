/*
 * What disks are and who uses them. Contract: host.h. Loop devices: host_loop.c.
 */
#include "xend/host.h"

#include "xend/lib/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int host_disk_identify(const struct disk_spec *disk, struct disk_identity *id, struct error *err)
{
    struct stat st;

    memset(id, 0, sizeof(*id));
    if (stat(disk->path, &st) != 0) {
        return fail(err, errno, "The disk %s cannot be used: %s.", disk->path,
                    errno == ENOENT ? "there is no such file or device" : strerror(errno));
    }
    if (S_ISBLK(st.st_mode)) {
        if (disk->kind == DISK_FILE) {
            return fail(err, EINVAL, "%s is a block device: write phy: instead of file:.",
                        disk->path);
        }
        id->block = true;
        id->device = st.st_rdev;
        return 0;
    }
    if (!S_ISREG(st.st_mode)) {
        return fail(err, EINVAL, "%s is neither a block device nor an image file.", disk->path);
    }
    if (disk->kind == DISK_PHY) {
        return fail(err, EINVAL, "%s is a file and no block device: write file: instead of phy:.",
                    disk->path);
    }
    if (st.st_size < 512) {
        return fail(err, EINVAL, "The image %s is empty: make it with truncate -s SIZE.",
                    disk->path);
    }
    id->device = st.st_dev;
    id->inode = st.st_ino;
    return 0;
}

bool disk_identity_equal(const struct disk_identity *a, const struct disk_identity *b)
{
    return a->block == b->block && a->device == b->device && a->inode == b->inode;
}

/* Where device is mounted, or NULL. The caller frees it. */
static char *mount_point(dev_t device)
{
    FILE *in = fopen("/proc/self/mountinfo", "re");
    char line[4096], point[2048];
    unsigned a, b;

    if (in == NULL) {
        return NULL;
    }
    while (fgets(line, sizeof(line), in) != NULL) {
        if (sscanf(line, "%*u %*u %u:%u %*s %2047s", &a, &b, point) == 3 &&
            makedev(a, b) == device) {
            fclose(in);
            return xstrdup(point);
        }
    }
    fclose(in);
    return NULL;
}

static bool is_swap(dev_t device)
{
    FILE *in = fopen("/proc/swaps", "re");
    char line[4096], path[2048];
    struct stat st;
    bool found = false;

    while (in != NULL && !found && fgets(line, sizeof(line), in) != NULL) {
        found = sscanf(line, "%2047s", path) == 1 && stat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
                st.st_rdev == device;
    }
    if (in != NULL) {
        fclose(in);
    }
    return found;
}

/* The first name in a folder of /sys, or NULL. The caller frees it. */
static char *first_entry(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char *name = NULL;

    while (dir != NULL && name == NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            name = xstrdup(entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return name;
}

static int block_free(const struct disk_spec *disk, dev_t device, struct error *err)
{
    auto_str where = mount_point(device);
    auto_str holders = xprintf("/sys/dev/block/%u:%u/holders", major(device), minor(device));
    auto_str holder = first_entry(holders);

    if (where != NULL) {
        return fail(err, EBUSY, "The disk %s is mounted in Domain 0 on %s: unmount it first.",
                    disk->path, where);
    }
    if (is_swap(device)) {
        return fail(err, EBUSY, "The disk %s is swap space of Domain 0: swapoff it first.",
                    disk->path);
    }
    if (holder != NULL) {
        return fail(err, EBUSY,
                    "The disk %s is part of %s in Domain 0: give the guest that "
                    "instead, or take it apart.",
                    disk->path, holder);
    }
    return 0;
}

/* Whether loop device `name` serves the file `id` and is mounted. */
static bool loop_mounts(const char *name, const struct disk_identity *id, char **where)
{
    auto_str path = xprintf("/dev/%s", name);
    struct loop_info64 info;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool same;

    if (fd < 0) {
        return false;
    }
    same = ioctl(fd, LOOP_GET_STATUS64, &info) == 0 && info.lo_device == id->device &&
           info.lo_inode == id->inode && fstat(fd, &st) == 0;
    close(fd);
    *where = same ? mount_point(st.st_rdev) : NULL;
    return *where != NULL;
}

static int file_free(const struct disk_spec *disk, const struct disk_identity *id,
                     struct error *err)
{
    DIR *dir = opendir("/sys/block");
    struct dirent *entry;
    auto_str where = NULL;

    while (dir != NULL && where == NULL && (entry = readdir(dir)) != NULL) {
        auto_str backing = xprintf("/sys/block/%s/loop/backing_file", entry->d_name);

        if (str_starts(entry->d_name, "loop") && access(backing, F_OK) == 0) {
            loop_mounts(entry->d_name, id, &where);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (where != NULL) {
        return fail(err, EBUSY, "The image %s is mounted in Domain 0 on %s: unmount it first.",
                    disk->path, where);
    }
    return 0;
}

int host_disk_free(const struct disk_spec *disk, const struct disk_identity *id, struct error *err)
{
    if (disk->shared) {
        return 0;
    }
    return id->block ? block_free(disk, id->device, err) : file_free(disk, id, err);
}
