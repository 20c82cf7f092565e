/*
 * Sets of numbers as sorted lists of disjoint, non-adjacent ranges. Domains have a handful of
 * ranges each, so a list is enough. Contracts: <hospes/rangeset.h>; every function locks.
 */
#include <hospes/errno.h>
#include <hospes/lib.h>
#include <hospes/list.h>
#include <hospes/lock.h>
#include <hospes/memory.h>
#include <hospes/rangeset.h>

struct range {
    struct list_head link;
    uint64_t first, last;
};

struct rangeset {
    char name[16];
    spinlock_t lock;
    struct list_head ranges; /* ascending; a gap of at least one number between two */
};

struct rangeset *rangeset_create(const char *name)
{
    struct rangeset *r = xzalloc(struct rangeset);

    if (r != NULL) {
        strlcpy(r->name, name, sizeof(r->name));
        spin_lock_init(&r->lock, RANK_RANGESET);
        list_init(&r->ranges);
    }
    return r;
}

void rangeset_destroy(struct rangeset *r)
{
    struct range *x, *next;

    if (r == NULL) {
        return;
    }
    list_for_each_entry_safe (x, next, &r->ranges, link) {
        list_del(&x->link);
        xfree(x);
    }
    xfree(r);
}

/* Lock held. Makes `into`, which is not in the list, span all that it touches. */
static void absorb(struct rangeset *r, struct range *into)
{
    struct range *x, *next;

    list_for_each_entry_safe (x, next, &r->ranges, link) {
        bool before = x->last < into->first && into->first - x->last > 1;
        bool behind = x->first > into->last && x->first - into->last > 1;

        if (x != into && !before && !behind) {
            into->first = min(into->first, x->first);
            into->last = max(into->last, x->last);
            list_del(&x->link);
            xfree(x);
        }
    }
}

static void insert_sorted(struct rangeset *r, struct range *n)
{
    struct range *x;

    list_for_each_entry (x, &r->ranges, link) {
        if (x->first > n->first) {
            list_add_tail(&n->link, &x->link);
            return;
        }
    }
    list_add_tail(&n->link, &r->ranges);
}

int rangeset_add(struct rangeset *r, uint64_t first, uint64_t last)
{
    struct range *n;

    if (first > last) {
        return -EINVAL;
    }
    n = xzalloc(struct range);
    if (n == NULL) {
        return -ENOMEM;
    }
    n->first = first;
    n->last = last;
    spin_lock(&r->lock);
    absorb(r, n);
    insert_sorted(r, n);
    spin_unlock(&r->lock);
    return 0;
}

int rangeset_remove(struct rangeset *r, uint64_t first, uint64_t last)
{
    struct range *x, *next, *spare;

    if (first > last) {
        return -EINVAL;
    }
    spare = xzalloc(struct range); /* for the case that a range is cut in two */
    if (spare == NULL) {
        return -ENOMEM;
    }
    spin_lock(&r->lock);
    list_for_each_entry_safe (x, next, &r->ranges, link) {
        if (x->last < first || x->first > last) {
            continue;
        }
        if (x->first < first && x->last > last) {
            spare->first = last + 1;
            spare->last = x->last;
            x->last = first - 1;
            list_add(&spare->link, &x->link);
            spare = NULL;
            break;
        }
        if (x->first < first) {
            x->last = first - 1;
        } else if (x->last > last) {
            x->first = last + 1;
        } else {
            list_del(&x->link);
            xfree(x);
        }
    }
    spin_unlock(&r->lock);
    xfree(spare);
    return 0;
}

bool rangeset_contains(struct rangeset *r, uint64_t first, uint64_t last)
{
    struct range *x;
    bool found = false;

    spin_lock(&r->lock);
    list_for_each_entry (x, &r->ranges, link) {
        if (x->first <= first && x->last >= last) {
            found = true;
            break;
        }
    }
    spin_unlock(&r->lock);
    return found && first <= last;
}

bool rangeset_overlaps(struct rangeset *r, uint64_t first, uint64_t last)
{
    struct range *x;
    bool found = false;

    spin_lock(&r->lock);
    list_for_each_entry (x, &r->ranges, link) {
        if (x->first <= last && x->last >= first) {
            found = true;
            break;
        }
    }
    spin_unlock(&r->lock);
    return found && first <= last;
}

bool rangeset_is_empty(struct rangeset *r)
{
    LOCKED(&r->lock);

    return list_empty(&r->ranges);
}
