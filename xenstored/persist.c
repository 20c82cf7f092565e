/*
 * The files behind the log, the commit, and the records that requests write. Read persist.h,
 * record.h.
 */
#include "xenstored/record.h"
#include "xenstored/crashpoint.h"
#include "xenstored/quota.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define LOG_MAGIC  0x5453584853455350u
#define IO_MAGIC   0x4f49584853455351u
#define FIRST_SIZE (1u << 20)

/* Bytes of log after which the state is written anew, at least. Tests want it often. */
#ifdef XENSTORED_FAKE
#define GROWN_AFTER (64u << 10)
#else
#define GROWN_AFTER (4u << 20)
#endif

/* The head of a log file; records follow. */
struct log_head {
    uint64_t magic;
    uint64_t epoch; /* of the two files the one with the higher epoch is valid; 0: not valid */
    uint64_t end;   /* offset behind the last committed record */
    uint32_t version, sockets;
    char boot_id[40]; /* the state of another boot of the machine is of no use */
};

struct log_file {
    int fd;
    size_t size;
    struct log_head *head;
};

static struct log_file files[2] = {{.fd = -1}, {.fd = -1}};
static struct log_file *current; /* NULL: nothing is persisted */
static size_t end;               /* of the records, committed or not */
static size_t snapshot_end;
static bool loading;
static struct persist_io io_memory;
struct persist_io *persist_io = &io_memory;

bool record_wanted(void)
{
    return current && !loading;
}

static void boot_id(char *out, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    out[n > 0 ? n : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

/* Makes a file at least size long, with its pages reserved (a hole could kill us later), and maps
 * it. */
static int map_file(struct log_file *f, size_t size)
{
    void *p;
    int rc = posix_fallocate(f->fd, 0, (off_t)size);

    if (rc != 0) {
        return -rc;
    }
    p = f->head ? mremap(f->head, f->size, size, MREMAP_MAYMOVE)
                : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (p == MAP_FAILED) {
        return -errno;
    }
    f->head = p;
    f->size = size;
    return 0;
}

static void give_up(int error)
{
    log_msg(LOG_ERR, "cannot write the state: %s. A restart will lose it", strerror(-error));
    for (int i = 0; i < 2; i++) {
        if (files[i].head) {
            files[i].head->epoch = 0;
        }
    }
    current = NULL;
}

static char *reserve(size_t len)
{
    if (current->size - end < len) {
        size_t size = current->size * 2;
        int rc;

        while (size - end < len) {
            size *= 2;
        }
        rc = map_file(current, size);
        if (rc < 0) {
            give_up(rc);
            return NULL;
        }
    }
    return (char *)current->head + end;
}

void record_write(enum record_type type, const void *fixed, size_t fixed_len,
                  const struct iovec *bytes, int count)
{
    struct record r = {.type = type, .len = (uint32_t)(sizeof(r) + fixed_len)};
    char *at;

    if (!record_wanted()) {
        return;
    }
    for (int i = 0; i < count; i++) {
        r.len += (uint32_t)bytes[i].iov_len;
    }
    r.len = (r.len + 7) & ~7u;
    at = reserve(r.len);
    if (!at) {
        return;
    }
    end += r.len;
    memcpy(at, &r, sizeof(r));
    at += sizeof(r);
    CRASH_POINT();
    memcpy(at, fixed, fixed_len);
    at += fixed_len;
    for (int i = 0; i < count; i++) {
        if (bytes[i].iov_len) {
            memcpy(at, bytes[i].iov_base, bytes[i].iov_len);
            at += bytes[i].iov_len;
        }
    }
}

void persist_commit(void)
{
    if (!current) {
        return;
    }
    CRASH_POINT();
    __atomic_store_n(&current->head->end, end, __ATOMIC_RELEASE);
    CRASH_POINT();
    /* No store that leaves the process may move before this one. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void persist_maintain(void)
{
    if (current && end - snapshot_end > GROWN_AFTER && end - snapshot_end > 2 * snapshot_end) {
        persist_snapshot(false);
    }
}

int persist_snapshot(bool with_sockets)
{
    struct log_file *old = current;
    uint64_t epoch = old ? old->head->epoch + 1 : 1;
    int rc;

    if (!old) {
        return -ENOSYS;
    }
    current = old == &files[0] ? &files[1] : &files[0];
    rc = current->head ? 0 : map_file(current, FIRST_SIZE);
    if (rc < 0) {
        give_up(rc);
        return rc;
    }
    current->head->epoch = 0;
    current->head->magic = LOG_MAGIC;
    current->head->version = RECORD_VERSION;
    current->head->sockets = with_sockets;
    boot_id(current->head->boot_id, sizeof(current->head->boot_id));
    end = sizeof(struct log_head);
    snapshot_write(with_sockets);
    if (!current) {
        return -ENOSPC;
    }
    snapshot_end = end;
    current->head->end = end;
    CRASH_POINT();
    __atomic_store_n(&current->head->epoch, epoch, __ATOMIC_RELEASE);
    CRASH_POINT();
    return 0;
}

static int open_file(const char *dir, const char *name)
{
    char path[512];
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
        return -ENAMETOOLONG;
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

static int open_io(const char *dir)
{
    int fd = open_file(dir, "state.io");
    void *p;
    int rc;

    if (fd < 0) {
        return fd;
    }
    rc = posix_fallocate(fd, 0, sizeof(*persist_io));
    if (rc == 0) {
        p = mmap(NULL, sizeof(*persist_io), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        rc = p == MAP_FAILED ? errno : 0;
    }
    close(fd);
    if (rc == 0) {
        persist_io = p;
    }
    return -rc;
}

/* Is the file a complete state of this boot? */
static bool is_valid(const struct log_file *f)
{
    char id[sizeof(f->head->boot_id)];

    boot_id(id, sizeof(id));
    return f->head && f->head->magic == LOG_MAGIC && f->head->epoch != 0 &&
           f->head->version == RECORD_VERSION && f->head->end >= sizeof(struct log_head) &&
           f->head->end <= f->size && strncmp(f->head->boot_id, id, sizeof(id)) == 0;
}

static int load(bool adopt_sockets)
{
    int rc;

    if (adopt_sockets && !current->head->sockets) {
        log_msg(LOG_WARNING, "the state has no sockets in it: they are lost");
    }
    loading = true;
    rc = replay((char *)current->head + sizeof(struct log_head),
                current->head->end - sizeof(struct log_head));
    loading = false;
    return rc;
}

static int open_logs(const char *dir)
{
    for (int i = 0; i < 2; i++) {
        struct stat st;
        int rc;

        files[i].fd = open_file(dir, i ? "state.1" : "state.0");
        if (files[i].fd < 0) {
            return files[i].fd;
        }
        if (fstat(files[i].fd, &st) == 0 && (size_t)st.st_size >= sizeof(struct log_head)) {
            rc = map_file(&files[i], (size_t)st.st_size);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

void persist_forget(void)
{
    for (int i = 0; i < 2; i++) {
        if (files[i].head) {
            munmap(files[i].head, files[i].size);
        }
        if (files[i].fd >= 0) {
            close(files[i].fd);
        }
        files[i] = (struct log_file){.fd = -1};
    }
    current = NULL;
    replay_forget();
    if (persist_io != &io_memory) {
        munmap(persist_io, sizeof(*persist_io));
        persist_io = &io_memory;
    }
}

int persist_open(const char *dir, bool adopt_sockets)
{
    bool valid[2];
    int rc;

    if (!dir) {
        return 0;
    }
    rc = open_io(dir);
    if (rc == 0) {
        rc = open_logs(dir);
    }
    if (rc < 0) {
        return rc;
    }
    valid[0] = is_valid(&files[0]);
    valid[1] = is_valid(&files[1]);
    current = &files[valid[1] && (!valid[0] || files[1].head->epoch > files[0].head->epoch)];
    if ((valid[0] || valid[1]) && persist_io->magic == IO_MAGIC) {
        rc = load(adopt_sockets);
        if (rc < 0) {
            log_msg(LOG_ERR, "the state in %s is damaged and is not used", dir);
            return rc;
        }
        end = snapshot_end = current->head->end;
        return 1;
    }
    memset(persist_io, 0, sizeof(*persist_io));
    persist_io->magic = IO_MAGIC;
    rc = current->head ? 0 : map_file(current, FIRST_SIZE);
    if (rc == 0) {
        current->head->epoch = 0;
        rc = persist_snapshot(false);
    }
    return rc;
}
