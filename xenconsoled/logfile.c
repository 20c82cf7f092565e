/*
 * Log files with a limit. Read logfile.h first.
 */
#include "xenconsoled/logfile.h"
#include "xenstored/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

uint64_t logfile_limit = 16u << 20;
unsigned logfile_keep = 3;
bool logfile_no_escape;

static int open_path(struct logfile *log)
{
    struct stat st;

    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->fd < 0) {
        int rc = -errno;

        log_msg(LOG_ERR, "cannot open the log %s: %s", log->path, strerror(-rc));
        return rc;
    }
    log->size = fstat(log->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    log->line_start = true;
    return 0;
}

int logfile_open(struct logfile *log, const char *dir, const char *prefix, const char *name)
{
    size_t at;
    int n;

    log->fd = -1;
    n = snprintf(log->path, sizeof(log->path), "%s/%s", dir, prefix);
    if (n < 0 || (size_t)n + strlen(name) + 5 > sizeof(log->path)) {
        return -ENAMETOOLONG;
    }
    at = (size_t)n;
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;

        log->path[at++] = c <= ' ' || c == '/' || c == 0x7f ? '_' : (char)c;
    }
    strcpy(log->path + at, ".log");
    return open_path(log);
}

static void rotate(struct logfile *log)
{
    char from[sizeof(log->path) + 16], to[sizeof(log->path) + 16];

    logfile_close(log);
    for (unsigned i = logfile_keep; i > 0; i--) {
        snprintf(to, sizeof(to), "%s.%u", log->path, i);
        snprintf(from, sizeof(from), i > 1 ? "%s.%u" : "%s", log->path, i - 1);
        rename(from, to);
    }
    if (logfile_keep == 0) {
        unlink(log->path);
    }
    open_path(log);
}

static void write_all(struct logfile *log, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(log->fd, data, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            log_msg(LOG_ERR, "cannot write %s: %m", log->path);
            return;
        }
        log->size += (uint64_t)n;
        data += n;
        len -= (size_t)n;
    }
}

/* Builds what is to be written in one piece, so that one write does it. */
static void dress(struct logfile *log, struct buf *out, const char *data, size_t len, bool stamp)
{
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;

    if (stamp && localtime_r(&now, &tm)) {
        strftime(when, sizeof(when), "[%Y-%m-%d %H:%M:%S] ", &tm);
    }
    for (size_t i = 0; i < len; i++) {
        char c = data[i];

        if (stamp && log->line_start) {
            if (c == '\r') {
                continue; /* behind a new line */
            }
            buf_append(out, when, strlen(when));
        }
        log->line_start = c == '\n';
        if (logfile_no_escape && c == '\033') {
            c = '.';
        }
        buf_append(out, &c, 1);
    }
}

void logfile_write(struct logfile *log, const char *data, size_t len, bool stamp)
{
    struct buf dressed = {0};

    if (log->fd < 0 || len == 0) {
        return;
    }
    if (stamp || logfile_no_escape) {
        dress(log, &dressed, data, len, stamp);
        data = dressed.p;
        len = dressed.len;
    }
    write_all(log, data, len);
    buf_free(&dressed);
}

void logfile_make_room(struct logfile *log)
{
    if (log->fd >= 0 && logfile_limit && log->size >= logfile_limit) {
        rotate(log);
    }
}

void logfile_reopen(struct logfile *log)
{
    if (log->fd >= 0) {
        close(log->fd);
        open_path(log);
    }
}

void logfile_cut(struct logfile *log, uint64_t size)
{
    if (log->fd >= 0 && log->size > size && ftruncate(log->fd, (off_t)size) == 0) {
        log->size = size;
    }
}

void logfile_close(struct logfile *log)
{
    if (log->fd >= 0) {
        close(log->fd);
    }
    log->fd = -1;
}
