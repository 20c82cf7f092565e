/*
 * cache.c: unpacked kernels, kept in a folder, so that only a kernel's first guest waits for it.
 *
 * Read builder.h first. An entry is named after the kernel file's device, inode, size and times of
 * change, so a kernel that is replaced is a miss. It consists of the unpacked kernel and a trailer.
 * Entries appear by rename, written out to the disk before, so one that is there is whole. The
 * folder belongs to the caller and is closed to others: what is in it is trusted as much as the
 * caller's own memory. While a kernel is unpacked a byte of the file .lock that belongs to this
 * kernel is locked: who wants the same kernel sleeps until it is there, everybody else goes on. The
 * lock and that of the unfinished file go with a process that dies.
 */
#include "libxenctrl/builder/builder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_ENTRIES 8
#define LOCK_FILE    ".lock"

/* The end of an entry. */
struct trailer {
    char magic[8]; /* "HSPKERN1" */
    uint64_t size; /* of the kernel before it */
    char format[24];
};
#define MAGIC "HSPKERN1"

/* Make the folder and those above it. */
static int make_dirs(const char *path)
{
    char copy[4096];

    if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy)) {
        return -ENAMETOOLONG;
    }
    for (char *p = copy + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            (void)mkdir(copy, 0755);
            *p = '/';
        }
    }
    return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* The folder's descriptor, or -1: there is none that can be trusted. */
static int open_dir(const char *path)
{
    struct stat st;
    int dir;

    if (make_dirs(path) < 0) {
        return -1;
    }
    dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) {
        return -1;
    }
    if (fstat(dir, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        (void)close(dir);
        return -1;
    }
    return dir;
}

static void name_entry(struct xc_cache *cache, const struct stat *st)
{
    (void)snprintf(cache->name, sizeof(cache->name), "k-%llx-%llx-%llx-%llx.%lx-%llx.%lx",
                   (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
                   (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec,
                   (unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_ctim.tv_sec,
                   (unsigned long)st->st_ctim.tv_nsec);
}

/* Is this file a whole entry? */
static bool check_entry(int fd, struct trailer *trailer)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           st.st_size > (off_t)sizeof(*trailer) &&
           pread(fd, trailer, sizeof(*trailer), st.st_size - (off_t)sizeof(*trailer)) ==
               (ssize_t)sizeof(*trailer) &&
           memcmp(trailer->magic, MAGIC, sizeof(trailer->magic)) == 0 &&
           trailer->size == (uint64_t)st.st_size - sizeof(*trailer) &&
           trailer->size <= XC_MOST_UNPACKED &&
           memchr(trailer->format, '\0', sizeof(trailer->format)) != NULL;
}

static bool open_entry(struct xc_cache *cache, struct xc_image *image)
{
    struct trailer trailer;
    void *data;
    int fd = openat(cache->dir, cache->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    if (!check_entry(fd, &trailer)) {
        (void)close(fd);
        (void)unlinkat(cache->dir, cache->name, 0);
        return false;
    }
    data = mmap(NULL, trailer.size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
        (void)close(fd);
        return false;
    }
    (void)futimens(fd, NULL); /* it was used now: pruning goes by this */
    *image = (struct xc_image){
        .fd = fd, .data = data, .size = trailer.size, .mapped = trailer.size, .cached = true};
    memcpy(image->format, trailer.format, sizeof(image->format));
    return true;
}

bool xc_cache_find(struct xc_cache *cache, const char *dir, const struct stat *source,
                   struct xc_image *image)
{
    *cache = (struct xc_cache){.dir = -1, .file = -1, .lock = -1, .number = source->st_ino};
    if (dir == NULL) {
        dir = XC_KERNEL_CACHE;
    }
    if (dir[0] == '\0') {
        return false;
    }
    cache->dir = open_dir(dir);
    if (cache->dir < 0) {
        return false;
    }
    name_entry(cache, source);
    return open_entry(cache, image);
}

/* The byte of this kernel. That of another device may have the same, and waits then, too. */
static void lock_kernel(struct xc_cache *cache)
{
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)(cache->number & INT64_MAX >> 1),
                         .l_len = 1};
    int r;

    cache->lock = openat(cache->dir, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (cache->lock < 0) {
        return; /* without it two may do the same work, and that is all */
    }
    do {
        r = fcntl(cache->lock, F_OFD_SETLKW, &lock);
    } while (r < 0 && errno == EINTR);
}

bool xc_cache_lock(struct xc_cache *cache, struct xc_image *image)
{
    if (cache->dir < 0) {
        return false;
    }
    lock_kernel(cache);
    return open_entry(cache, image);
}

int xc_cache_create(struct xc_cache *cache)
{
    static unsigned int counter;
    int fd;

    if (cache->dir >= 0) {
        (void)snprintf(cache->temporary, sizeof(cache->temporary), "t-%ld-%u", (long)getpid(),
                       __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
        (void)unlinkat(cache->dir, cache->temporary, 0);
        fd = openat(cache->dir, cache->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            (void)flock(fd, LOCK_EX | LOCK_NB); /* somebody is at work on it: see prune() */
            cache->file = fd;
            return fd;
        }
    }
    fd = memfd_create("kernel", MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* An entry that may stay. */
struct kept {
    char name[128];
    struct timespec used;
};

static bool older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Keep @name; if there are too many then, remove the one that was used least recently. */
static void keep(int dir, struct kept *list, unsigned int *n, const char *name,
                 const struct timespec *used)
{
    unsigned int oldest = 0;

    if (*n == MOST_ENTRIES) {
        for (unsigned int i = 1; i < *n; i++) {
            oldest = older(&list[i].used, &list[oldest].used) ? i : oldest;
        }
        if (older(used, &list[oldest].used)) {
            (void)unlinkat(dir, name, 0);
            return;
        }
        (void)unlinkat(dir, list[oldest].name, 0);
        list[oldest] = list[--*n];
    }
    memcpy(list[*n].name, name, strlen(name) + 1);
    list[(*n)++].used = *used;
}

/* A file that was not finished: whoever wrote it holds its lock, unless he is dead. */
static void remove_dead(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            (void)unlinkat(dir, name, 0);
        }
        (void)close(fd);
    }
}

/* Keep the entries used last, @newest among them. Files of dead unpackers go too. */
static void prune(int dir_fd, const char *newest)
{
    struct timespec never_older = {.tv_sec = INT64_MAX};
    struct kept list[MOST_ENTRIES];
    unsigned int n = 0;
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct stat st;

    if (dir == NULL) {
        (void)(fd >= 0 && close(fd));
        return;
    }
    keep(dir_fd, list, &n, newest, &never_older);
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "t-", 2) == 0) {
            remove_dead(dir_fd, entry->d_name);
        } else if (strncmp(entry->d_name, "k-", 2) == 0 && strcmp(entry->d_name, newest) != 0 &&
                   strlen(entry->d_name) < sizeof(list[0].name) &&
                   fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            keep(dir_fd, list, &n, entry->d_name, &st.st_mtim);
        }
    }
    (void)closedir(dir);
}

void xc_cache_publish(struct xc_cache *cache, uint64_t size, const char *format)
{
    struct trailer trailer = {.magic = MAGIC, .size = size};

    if (cache->file < 0) {
        return;
    }
    (void)snprintf(trailer.format, sizeof(trailer.format), "%s", format);
    if (pwrite(cache->file, &trailer, sizeof(trailer), (off_t)size) == (ssize_t)sizeof(trailer) &&
        fdatasync(cache->file) == 0 &&
        renameat(cache->dir, cache->temporary, cache->dir, cache->name) == 0) {
        cache->file = -1;
        prune(cache->dir, cache->name);
    }
}

void xc_cache_done(struct xc_cache *cache)
{
    if (cache->file >= 0) {
        (void)unlinkat(cache->dir, cache->temporary, 0);
        cache->file = -1;
    }
    if (cache->lock >= 0) {
        (void)close(cache->lock); /* and with it goes the lock */
        cache->lock = -1;
    }
    if (cache->dir >= 0) {
        (void)close(cache->dir);
        cache->dir = -1;
    }
}
