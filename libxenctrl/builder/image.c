/*
 * image.c: from the path of a kernel to the bytes of its ELF file.
 *
 * Read builder.h first. A file is read once, in full, into our own memory, so that a change under
 * our eyes can't undo a check; what is unpacked from it goes to a file of the cache or, without a
 * cache, to an anonymous one.
 */
#include "libxenctrl/builder/builder.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOUNCE 65536u

int xc_progress_tell(const struct xc_progress *progress, enum xc_build_step step, uint64_t done,
                     uint64_t total)
{
    if (progress->call != NULL && !progress->call(progress->context, step, done, total)) {
        return -ECANCELED;
    }
    return 0;
}

void xc_image_close(struct xc_image *image)
{
    if (image->data != NULL) {
        (void)munmap((void *)(uintptr_t)image->data, image->mapped);
    }
    if (image->fd >= 0) {
        (void)close(image->fd);
    }
    *image = (struct xc_image){.fd = -1};
}

/*
 * pread() to memory that may be a foreign mapping. File systems that hand our pages to a device
 * (9p, direct I/O) can't do that with another domain's and say EFAULT: then by way of a buffer.
 */
static ssize_t read_at(int fd, void *to, size_t size, off_t offset)
{
    uint8_t own[BOUNCE];
    ssize_t n = pread(fd, to, size, offset);

    if (n < 0 && errno == EFAULT) {
        n = pread(fd, own, size < sizeof(own) ? size : sizeof(own), offset);
        if (n > 0) {
            memcpy(to, own, (size_t)n);
        }
    }
    return n;
}

int xc_image_read(const struct xc_image *image, void *to, uint64_t offset, size_t size)
{
    char *p = to;

    if (offset > image->size || size > image->size - offset) {
        return -EINVAL;
    }
    if (image->fd < 0) {
        memcpy(to, image->data + offset, size);
        return 0;
    }
    while (size > 0) {
        ssize_t n = read_at(image->fd, p, size, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        p += n;
        offset += (size_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* Unpacking into a file. */
struct writer {
    int fd;
    uint64_t done, total;
    uint64_t flushed; /* what the disk has been asked to take */
    const struct xc_progress *progress;
};

#define FLUSH_AT (8ull << 20)

static int write_out(void *context, const void *data, size_t size)
{
    struct writer *w = context;
    const char *p = data;

    while (size > 0) {
        ssize_t n = write(w->fd, p, size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        p += n;
        size -= (size_t)n;
        w->done += (uint64_t)n;
    }
    /* An entry of the cache is written out before it is published: begin while we unpack. */
    if (w->done - w->flushed >= FLUSH_AT) {
        (void)sync_file_range(w->fd, (off_t)w->flushed, (off_t)(w->done - w->flushed),
                              SYNC_FILE_RANGE_WRITE);
        w->flushed = w->done;
    }
    return xc_progress_tell(w->progress, XC_STEP_KERNEL, w->done, w->total);
}

/* Unpack @payload of the file's @data into @fd. */
static int unpack_into(int fd, const uint8_t *data, const struct xc_payload *payload,
                       const struct xc_progress *progress, uint64_t *size, char *why)
{
    bool known = payload->unpacked != XC_UNSET;
    struct writer w = {.fd = fd, .total = known ? payload->unpacked : 0, .progress = progress};
    int rc;

    if (known && payload->unpacked > XC_MOST_UNPACKED) {
        xc_explain(why, XC_WHY_SIZE, "it would unpack to %llu MiB, and at most %llu are allowed",
                   (unsigned long long)payload->unpacked >> 20,
                   (unsigned long long)XC_MOST_UNPACKED >> 20);
        return -EFBIG;
    }
    rc = xc_unpack(payload->packing, data + payload->offset, payload->size,
                   known ? payload->unpacked : XC_MOST_UNPACKED, write_out, &w, why);
    if (rc == 0 && known && w.done != payload->unpacked) {
        xc_explain(why, XC_WHY_SIZE, "it is damaged: it unpacks to less than it says");
        return -ENOEXEC;
    }
    *size = w.done;
    return rc;
}

/* Map the unpacked file. */
static int map_image(int fd, uint64_t size, struct xc_image *image)
{
    void *p;

    if (size == 0) {
        return -ENOEXEC;
    }
    p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        return -errno;
    }
    image->fd = fd;
    image->data = p;
    image->size = image->mapped = size;
    return 0;
}

static int unpack_image(struct xc_cache *cache, const uint8_t *data,
                        const struct xc_payload *payload, const struct xc_progress *progress,
                        struct xc_image *image, char *why)
{
    int fd = xc_cache_create(cache), rc;
    uint64_t size = 0;

    if (fd < 0) {
        return fd;
    }
    rc = unpack_into(fd, data, payload, progress, &size, why);
    if (cache->file >= 0 && (rc == -ENOSPC || rc == -EDQUOT || rc == -EIO)) {
        /* The cache has no room: do without it. */
        (void)close(fd);
        xc_cache_done(cache);
        return unpack_image(cache, data, payload, progress, image, why);
    }
    if (rc == 0) {
        rc = map_image(fd, size, image);
    }
    if (rc < 0) {
        (void)close(fd);
    }
    return rc;
}

/* Read all of @fd into anonymous memory. */
static int read_file(int fd, const struct stat *st, uint8_t **data, char *why)
{
    struct xc_image file = {.fd = fd, .size = (size_t)st->st_size};
    void *p;
    int rc;

    if (!S_ISREG(st->st_mode)) {
        xc_explain(why, XC_WHY_SIZE, "it is no file");
        return -ENOEXEC;
    }
    if (st->st_size == 0) {
        xc_explain(why, XC_WHY_SIZE, "it is empty");
        return -ENOEXEC;
    }
    if ((uint64_t)st->st_size > XC_MOST_KERNEL) {
        xc_explain(why, XC_WHY_SIZE, "it is too large for a kernel");
        return -EFBIG;
    }
    p = mmap(NULL, (size_t)st->st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return -ENOMEM;
    }
    rc = xc_image_read(&file, p, 0, file.size);
    if (rc < 0) {
        (void)munmap(p, file.size);
        return rc;
    }
    *data = p;
    return 0;
}

/* What is in a file: a payload, which for a plain ELF file is all of it. */
static int find_payload(const uint8_t *data, size_t size, struct xc_payload *payload,
                        struct xc_image *image, char *why)
{
    int rc = 0;

    if (xc_is_bzimage(data, size)) {
        rc = xc_bzimage_payload(data, size, payload, why);
        if (rc == 0) {
            (void)snprintf(image->format, sizeof(image->format), "bzImage (%s)",
                           xc_packing_name(payload->packing));
        }
        return rc;
    }
    *payload = (struct xc_payload){xc_packing_of(data, size), 0, size, XC_UNSET};
    (void)snprintf(image->format, sizeof(image->format),
                   payload->packing == XC_PLAIN ? "ELF" : "ELF (%s)",
                   xc_packing_name(payload->packing));
    return 0;
}

/* A miss: read the file and unpack it. */
static int load_image(int fd, const struct stat *st, struct xc_cache *cache,
                      const struct xc_progress *progress, struct xc_image *image, char *why)
{
    struct xc_payload payload;
    struct stat after;
    uint8_t *data = NULL;
    int rc = read_file(fd, st, &data, why);

    if (rc < 0) {
        return rc;
    }
    rc = find_payload(data, (size_t)st->st_size, &payload, image, why);
    if (rc == 0 && payload.packing == XC_PLAIN && payload.offset == 0) {
        image->data = data;
        image->size = image->mapped = (size_t)st->st_size;
        return 0;
    }
    if (rc == 0 && xc_cache_lock(cache, image)) {
        (void)munmap(data, (size_t)st->st_size);
        return 0;
    }
    if (rc == 0) {
        rc = unpack_image(cache, data, &payload, progress, image, why);
    }
    (void)munmap(data, (size_t)st->st_size);
    if (rc == 0 && fstat(fd, &after) == 0 && after.st_size == st->st_size &&
        after.st_mtim.tv_sec == st->st_mtim.tv_sec &&
        after.st_mtim.tv_nsec == st->st_mtim.tv_nsec) {
        xc_cache_publish(cache, image->size, image->format);
    }
    return rc;
}

static int open_image(int fd, const char *cache_dir, const struct xc_progress *progress,
                      struct xc_image *image, char *why)
{
    struct xc_cache cache;
    struct stat st;
    int rc = 0;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!xc_cache_find(&cache, cache_dir, &st, image)) {
        rc = load_image(fd, &st, &cache, progress, image, why);
    }
    xc_cache_done(&cache);
    return rc;
}

int xc_image_open(struct xc_handle *h, const char *path, const char *cache_dir,
                  const struct xc_progress *progress, struct xc_image *image)
{
    char why[XC_WHY_SIZE] = "";
    int fd, rc;

    *image = (struct xc_image){.fd = -1};
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        rc = -errno;
        return xc_fail(h, rc, "The kernel %s can't be opened: %s%s.", path, strerror(-rc),
                       rc == -ENOENT ? " (check `kernel` in the configuration)" : "");
    }
    rc = open_image(fd, cache_dir, progress, image, why);
    (void)close(fd);
    if (rc == 0) {
        return 0;
    }
    xc_image_close(image);
    if (rc == -ECANCELED) {
        return xc_fail(h, rc, "Canceled.");
    }
    if (rc == -ENOEXEC || rc == -EFBIG) {
        return xc_fail(h, rc, "%s can't be used as a kernel: %s.", path, why);
    }
    return xc_fail(h, rc, "The kernel %s can't be read: %s.", path,
                   why[0] != '\0' ? why : strerror(-rc));
}
