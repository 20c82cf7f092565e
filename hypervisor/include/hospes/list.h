/* Doubly linked circular lists with the link embedded in the element. */
#ifndef HOSPES_LIST_H
#define HOSPES_LIST_H

#include <hospes/types.h>

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(h) \
    {                     \
        &(h), &(h)        \
    }

static inline void list_init(struct list_head *h)
{
    h->next = h->prev = h;
}
static inline bool list_empty(const struct list_head *h)
{
    return h->next == h;
}
static inline void list_insert_(struct list_head *n, struct list_head *before,
                                struct list_head *after)
{
    n->prev = before;
    n->next = after;
    before->next = n;
    after->prev = n;
}
/* Right behind the head: a stack. */
static inline void list_add(struct list_head *n, struct list_head *h)
{
    list_insert_(n, h, h->next);
}
/* At the end, or in front of the element h. */
static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
    list_insert_(n, h->prev, h);
}
/* Takes n out and leaves it as an empty list, so that list_empty(n) says "not on any list". */
static inline void list_del(struct list_head *n)
{
    n->next->prev = n->prev;
    n->prev->next = n->next;
    list_init(n);
}

/* For lists that are read without a lock: a reader that is at n may go on from there. */
static inline void list_add_tail_rcu(struct list_head *n, struct list_head *h)
{
    n->prev = h->prev;
    n->next = h;
    __atomic_store_n(&h->prev->next, n, __ATOMIC_RELEASE);
    h->prev = n;
}
static inline void list_del_rcu(struct list_head *n)
{
    n->next->prev = n->prev;
    __atomic_store_n(&n->prev->next, n->next, __ATOMIC_RELEASE);
}

#define list_entry(p, type, member)       container_of(p, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_for_each_entry(pos, h, member)                                                \
    for ((pos) = list_entry((h)->next, __typeof__(*(pos)), member); &(pos)->member != (h); \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))
/* Survives taking pos out. */
#define list_for_each_entry_safe(pos, tmp, h, member)                       \
    for ((pos) = list_entry((h)->next, __typeof__(*(pos)), member),         \
        (tmp) = list_entry((pos)->member.next, __typeof__(*(pos)), member); \
         &(pos)->member != (h);                                             \
         (pos) = (tmp), (tmp) = list_entry((tmp)->member.next, __typeof__(*(tmp)), member))

#endif
