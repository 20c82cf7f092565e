/*
 * The view of the store that a request has: the tree, or a transaction in front of it.
 * Read transaction.h first.
 */
#include "xenstored/permission.h"
#include "xenstored/quota.h"
#include "xenstored/rate.h"
#include "xenstored/transaction.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

#include <errno.h>
#include <stdlib.h>

static struct transaction *tx_of(struct conn *c)
{
    return c ? c->tx : NULL;
}

static struct touched *find(struct transaction *tx, const struct path *p)
{
    struct touched *t;

    if (!tx->table) {
        return NULL;
    }
    for (t = tx->table[p->hash & (tx->table_size - 1)]; t; t = t->next_hash) {
        if (t->path.hash == p->hash && t->path.len == p->len &&
            memcmp(t->name, p->s, p->len) == 0) {
            return t;
        }
    }
    return NULL;
}

static void grow(struct transaction *tx)
{
    uint32_t size = tx->table_size ? tx->table_size * 4 : 16;

    free(tx->table);
    tx->table = xcalloc(size, sizeof(*tx->table));
    tx->table_size = size;
    for (struct touched *t = tx->first; t; t = t->next) {
        t->next_hash = tx->table[t->path.hash & (size - 1)];
        tx->table[t->path.hash & (size - 1)] = t;
    }
}

/* The digits by which a node inside a transaction has a longer key in the accounting's eyes. */
static unsigned key_extra(const struct transaction *tx)
{
    unsigned n = 2;

    for (uint64_t g = tx->generation; g >= 10; g /= 10) {
        n++;
    }
    return n;
}

static void charge_version(struct transaction *tx, const struct touched *t, int sign)
{
    if (t->version) {
        domain_charge(tx->conn->id, sign * quota_node_bytes(&t->path, t->version, key_extra(tx)),
                      false);
    }
}

/* Notes the first touch of a node; NULL if the transaction may touch no more. */
static struct touched *touch(struct conn *c, const struct path *p, struct node *seen)
{
    struct transaction *tx = c->tx;
    struct touched *t;

    if (conn_unprivileged(c) && tx->count >= (uint32_t)quota.transaction_nodes) {
        tx->failed = true;
        return NULL;
    }
    if (tx->count >= tx->table_size) {
        grow(tx);
    }
    t = xmalloc(sizeof(*t) + p->len + 1);
    memset(t, 0, sizeof(*t));
    memcpy(t->name, p->s, p->len);
    t->name[p->len] = '\0';
    t->path = (struct path){.s = t->name, .len = p->len, .hash = p->hash};
    t->seen = seen ? node_ref(seen) : NULL;
    t->generation = seen ? seen->generation : NO_GENERATION;
    t->next_hash = tx->table[p->hash & (tx->table_size - 1)];
    tx->table[p->hash & (tx->table_size - 1)] = t;
    *tx->last = t;
    tx->last = &t->next;
    tx->count++;
    return t;
}

struct node *view_read(struct conn *c, const struct path *p, int *error)
{
    struct transaction *tx = tx_of(c);
    struct touched *t = tx ? find(tx, p) : NULL;
    struct node *n;

    if (!t) {
        n = tree_get(p);
        if (tx) {
            t = touch(c, p, n);
            if (!t) {
                *error = -ENOSPC;
                return NULL;
            }
            t->check = true;
            t->version = n ? node_ref(n) : NULL;
            charge_version(tx, t, 1);
        }
    }
    n = t ? t->version : n;
    if (!n) {
        *error = -ENOENT;
    }
    return n;
}

/* Outside of a transaction: accounting and the tree. */
static int write_through(const struct path *p, struct node *n, bool unlimited)
{
    struct node *old = tree_get(p);
    int64_t before = old ? quota_node_bytes(p, old, 0) : 0;
    uint32_t old_owner = old ? old->perms[0].domid : 0;

    if (old) {
        domain_charge(old_owner, -before, false);
    }
    if (!domain_charge(n->perms[0].domid, quota_node_bytes(p, n, 0), !unlimited)) {
        if (old) {
            domain_charge(old_owner, before, false);
        }
        node_put(n);
        return -EIO;
    }
    tree_set(p, n);
    return 0;
}

static int write_inside(struct conn *c, const struct path *p, struct node *n, bool unlimited)
{
    struct transaction *tx = c->tx;
    struct touched *t = find(tx, p);

    if (!t) {
        t = touch(c, p, tree_get(p));
        if (!t) {
            node_put(n);
            return -ENOSPC;
        }
    }
    t->modified = true;
    charge_version(tx, t, -1);
    if (!domain_charge(c->id, quota_node_bytes(p, n, key_extra(tx)), !unlimited)) {
        charge_version(tx, t, 1);
        node_put(n);
        tx->failed = true;
        return -EIO;
    }
    node_put(t->version);
    t->version = n;
    return 0;
}

int view_write(struct conn *c, const struct path *p, struct node *n, bool unlimited)
{
    n->generation = ++tree_generation;
    if (c && !c->tx) {
        rate_charge_write(c->domain);
    }
    if (!unlimited && c && conn_unprivileged(c) && quota_record_bytes(n) >= quota.node_size) {
        node_put(n);
        view_fail(c);
        return -ENOSPC;
    }
    return tx_of(c) ? write_inside(c, p, n, unlimited) : write_through(p, n, unlimited);
}

int view_remove(struct conn *c, const struct path *p)
{
    struct transaction *tx = tx_of(c);
    struct touched *t;
    struct node *n;

    ++tree_generation;
    if (tx) {
        t = find(tx, p);
        if (!t) {
            t = touch(c, p, tree_get(p));
        }
        if (!t) {
            return -ENOSPC;
        }
        t->modified = true;
        charge_version(tx, t, -1);
        node_put(t->version);
        t->version = NULL;
        return 0;
    }
    if (c) {
        rate_charge_write(c->domain);
    }
    n = tree_get(p);
    if (n) {
        domain_charge(n->perms[0].domid, -quota_node_bytes(p, n, 0), false);
        tree_remove(p);
    }
    return 0;
}

static void count_inside(struct transaction *tx, uint32_t owner, int delta)
{
    for (uint32_t i = 0; i < tx->ndeltas; i++) {
        if (tx->deltas[i].domid == owner) {
            tx->deltas[i].nodes += delta;
            return;
        }
    }
    tx->deltas = xrealloc(tx->deltas, (tx->ndeltas + 1) * sizeof(*tx->deltas));
    tx->deltas[tx->ndeltas++] = (struct node_delta){.domid = owner, .nodes = delta};
}

int view_count_node(struct conn *c, uint32_t owner, int delta)
{
    struct domain *d;

    if (tx_of(c)) {
        count_inside(c->tx, owner, delta);
        return 0;
    }
    d = delta > 0 ? domain_find_existing(owner) : domain_find(owner);
    if (!d) {
        return -ENOMEM;
    }
    d->nodes += delta;
    return 0;
}

void view_fire(struct conn *c, const struct path *p, struct node *n, bool exact,
               const struct node *before)
{
    struct touched *t;

    if (!tx_of(c)) {
        watch_fire(c, p, n, exact, before);
        return;
    }
    t = find(c->tx, p);
    if (!t) {
        c->tx->failed = true;
    } else if (!t->fire) {
        t->fire = true;
        t->fire_exact = exact;
    } else if (!exact) {
        t->fire_exact = false;
    }
}

void view_fail(struct conn *c)
{
    if (tx_of(c)) {
        c->tx->failed = true;
    }
}
