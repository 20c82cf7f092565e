/*
 * xend's log. Contract: log.h.
 *
 * A line is one write(2) to a file opened for appending, so lines of several threads do not mix and
 * a killed xend leaves whole lines. The tail is kept in memory too: `xm log` works wherever the
 * lines go.
 */
#include "xend/log.h"

#include "xend/lib/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEPT (64 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = STDERR_FILENO;
static char ring[KEPT]; /* the last KEPT bytes, written at total % KEPT */
static size_t total;

int log_open(const char *path, struct error *err)
{
    int fd;

    if (path == NULL) {
        return 0;
    }
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return fail(err, errno, "The log %s cannot be written: %s.", path, strerror(errno));
    }
    log_fd = fd;
    return 0;
}

static void keep(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ring[total++ % KEPT] = line[i];
    }
}

static void put(const char *level, const char *fmt, va_list ap)
{
    char line[1200];
    struct timespec now;
    struct tm tm;
    size_t n;
    ssize_t r;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    n = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ld %s ", now.tv_nsec / 1000000, level);
    vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    for (char *p = line + n; *p != '\0'; p++) { /* what guests wrote may be in it */
        if (iscntrl((unsigned char)*p)) {
            *p = ' ';
        }
    }
    n = strlen(line);
    line[n++] = '\n';
    pthread_mutex_lock(&lock);
    keep(line, n);
    do {
        r = write(log_fd, line, n);
    } while (r < 0 && errno == EINTR);
    pthread_mutex_unlock(&lock);
}

#define PUT(level)       \
    va_list ap;          \
    va_start(ap, fmt);   \
    put(level, fmt, ap); \
    va_end(ap)

void log_info(const char *fmt, ...)
{
    PUT("info ");
}

void log_warn(const char *fmt, ...)
{
    PUT("warn ");
}

void log_error(const char *fmt, ...)
{
    PUT("error");
}

char *log_tail(size_t size)
{
    size_t n, first;
    char *text, *line;

    pthread_mutex_lock(&lock);
    n = total < KEPT ? total : KEPT;
    n = n < size ? n : size;
    first = total - n;
    text = xalloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        text[i] = ring[(first + i) % KEPT];
    }
    pthread_mutex_unlock(&lock);
    line = first > 0 ? strchr(text, '\n') : NULL; /* begin with a whole line */
    if (line != NULL) {
        memmove(text, line + 1, strlen(line));
    }
    return text;
}
