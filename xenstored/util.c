/*
 * Memory, hashing, time and log. Read util.h first.
 */
#include "xenstored/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static uint64_t hash_key[2] = {0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u};
static bool use_syslog;

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p) {
        die("out of memory (%zu bytes)", size);
    }
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p) {
        die("out of memory (%zu times %zu bytes)", count, size);
    }
    return p;
}

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p) {
        die("out of memory (%zu bytes)", size);
    }
    return p;
}

void buf_reserve(struct buf *b, size_t extra)
{
    size_t cap = b->cap ? b->cap : 256;

    if (b->cap - b->len >= extra) {
        return;
    }
    while (cap - b->len < extra) {
        cap *= 2;
    }
    b->p = xrealloc(b->p, cap);
    b->cap = cap;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    buf_reserve(b, len);
    memcpy(b->p + b->len, data, len);
    b->len += len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    buf_reserve(b, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void hash_init(void)
{
    uint64_t key[2];

    if (getrandom(key, sizeof(key), 0) == sizeof(key)) {
        hash_key[0] = key[0] | 1;
        hash_key[1] = key[1] | 1;
    }
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;

    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t hash_bytes(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t h = hash_key[0] ^ len;
    uint64_t word;

    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = fold(h ^ word, hash_key[1]);
    }
    word = 0;
    memcpy(&word, p, len);
    h = fold(h ^ word, hash_key[1] ^ 0xa0761d6478bd642fu);
    return fold(h, hash_key[0]);
}

uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void log_to_syslog(bool on)
{
    use_syslog = on;
}

static void log_va(int level, const char *fmt, va_list ap)
{
    if (use_syslog) {
        vsyslog(level, fmt, ap);
        return;
    }
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void log_msg(int level, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_va(level, fmt, ap);
    va_end(ap);
}

void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_va(LOG_ERR, fmt, ap);
    va_end(ap);
    exit(1);
}
