/*
 * Small things every part of xenstored uses: lists, hashing, allocation, logging.
 *
 * Allocation: xmalloc and friends never return NULL; out of memory ends the process. That is safe
 * here and nowhere else: what was committed is in the log (persist.h), and the restarted daemon
 * goes on.
 */
#ifndef XENSTORED_UTIL_H
#define XENSTORED_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a)            (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, m) ((type *)(void *)((char *)(p)-offsetof(type, m)))

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* --- doubly linked lists: the head is a node of its own -----------------------------------------
 * /  */

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *head, struct list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

/* Removes an item; removing it a second time does nothing. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

#define list_first(head, type, m) container_of((head)->next, type, m)
#define list_each(pos, head)      for (pos = (head)->next; pos != (head); pos = pos->next)
/* As list_each; the body may remove pos itself (and nothing else). */
#define list_each_safe(pos, tmp, head) \
    for (pos = (head)->next, tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)

/* --- memory ---------------------------------------------------------------------------------- */

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));

/* A growing byte buffer; p may be NULL while cap is 0. */
struct buf {
    char *p;
    size_t len, cap;
};

void buf_reserve(struct buf *b, size_t extra);
void buf_append(struct buf *b, const void *data, size_t len);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

/* --- hashing: keyed, so that a guest can't choose names that collide ------------------------- */

/* Draws the key; call once before the first hash. */
void hash_init(void);
uint64_t hash_bytes(const void *data, size_t len);

/* --- time, log ------------------------------------------------------------------------------- */

/* Of the monotonic clock. */
uint64_t now_ms(void);
uint64_t now_ns(void);

/* To syslog (a daemon) or standard error (in the foreground). level is syslog's. */
void log_msg(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_to_syslog(bool on);

/* Logs and ends the process with status 1. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
