/*
 * The life of a transaction: start, commit, end. Read transaction.h first.
 */
#include "xenstored/transaction.h"
#include "xenstored/persist.h"
#include "xenstored/quota.h"
#include "xenstored/rate.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

#include <errno.h>
#include <stdlib.h>

struct transaction *transaction_find(struct conn *c, uint32_t id)
{
    struct list *pos;

    list_each(pos, &c->transactions)
    {
        struct transaction *tx = container_of(pos, struct transaction, link);

        if (tx->id == id) {
            return tx;
        }
    }
    return NULL;
}

static struct transaction *add(struct conn *c, uint32_t id)
{
    struct transaction *tx = xcalloc(1, sizeof(*tx));

    tx->conn = c;
    tx->id = id;
    tx->generation = ++tree_generation;
    tx->last = &tx->first;
    tx->started_ms = now_ms();
    list_append(&c->transactions, &tx->link);
    c->tx_count++;
    rate_transactions++;
    return tx;
}

int transaction_start(struct conn *c, uint32_t *id)
{
    if (conn_unprivileged(c) && c->tx_count > quota.transactions) {
        return -ENOSPC;
    }
    do {
        *id = c->next_tx_id++;
    } while (*id == 0 || transaction_find(c, *id));
    add(c, *id);
    persist_tx(c, *id, true);
    return 0;
}

void transaction_restore(struct conn *c, uint32_t id)
{
    add(c, id)->stale = true;
    if (id >= c->next_tx_id) {
        c->next_tx_id = id + 1;
    }
}

static void destroy(struct transaction *tx)
{
    struct touched *t, *next;
    unsigned extra = 2;

    for (uint64_t g = tx->generation; g >= 10; g /= 10) {
        extra++;
    }
    for (t = tx->first; t; t = next) {
        next = t->next;
        if (t->version) {
            domain_charge(tx->conn->id, -quota_node_bytes(&t->path, t->version, extra), false);
        }
        node_put(t->seen);
        node_put(t->version);
        free(t);
    }
    rate_transactions--;
    tx->conn->tx_count--;
    persist_tx(tx->conn, tx->id, false);
    list_remove(&tx->link);
    free(tx->table);
    free(tx->deltas);
    free(tx);
}

void transaction_delete_all(struct conn *c)
{
    while (!list_empty(&c->transactions)) {
        destroy(list_first(&c->transactions, struct transaction, link));
    }
    c->tx = NULL;
}

/* Would the domains own more nodes than they may? */
static int check_counts(const struct transaction *tx, bool limited)
{
    for (uint32_t i = 0; i < tx->ndeltas; i++) {
        struct domain *d = domain_find_existing(tx->deltas[i].domid);

        if (!d) {
            return -ENOMEM;
        }
        if (limited && domid_unprivileged(d->domid) &&
            d->nodes + tx->deltas[i].nodes >= quota.nodes) {
            return -ENOSPC;
        }
    }
    return 0;
}

static bool unchanged(const struct transaction *tx)
{
    for (struct touched *t = tx->first; t; t = t->next) {
        struct node *n;

        if (!t->check) {
            continue;
        }
        n = tree_get(&t->path);
        if ((n ? n->generation : NO_GENERATION) != t->generation) {
            return false;
        }
    }
    return true;
}

/* Makes one node of the transaction the tree's, with its accounting. */
static void apply(struct transaction *tx, struct touched *t, unsigned extra)
{
    struct node *old = tree_get(&t->path);

    if (old && (t->version || t->generation != NO_GENERATION)) {
        domain_charge(old->perms[0].domid, -quota_node_bytes(&t->path, old, 0), false);
    }
    if (t->version) {
        domain_charge(tx->conn->id, -quota_node_bytes(&t->path, t->version, extra), false);
        t->version->generation = ++tree_generation;
        domain_charge(t->version->perms[0].domid, quota_node_bytes(&t->path, t->version, 0), false);
        tree_set(&t->path, t->version);
        t->version = NULL;
    } else if (t->generation != NO_GENERATION) {
        tree_remove(&t->path);
    }
}

static void commit(struct conn *c, struct transaction *tx)
{
    unsigned extra = 2;

    for (uint64_t g = tx->generation; g >= 10; g /= 10) {
        extra++;
    }
    for (struct touched *t = tx->first; t; t = t->next) {
        if (!t->modified) {
            continue;
        }
        apply(tx, t, extra);
        if (t->fire) {
            watch_fire(c, &t->path, NULL, t->fire_exact, t->seen);
        }
    }
    rate_charge_commit(c->domain);
    for (uint32_t i = 0; i < tx->ndeltas; i++) {
        domain_find_existing(tx->deltas[i].domid)->nodes += tx->deltas[i].nodes;
    }
}

int transaction_end(struct conn *c, bool wanted)
{
    struct transaction *tx = c->tx;
    int rc = 0;

    c->tx = NULL;
    if (wanted) {
        if (tx->failed) {
            rc = -ENOMEM;
        } else if (tx->stale) {
            rc = -EAGAIN;
        } else {
            rc = check_counts(tx, tx->created && conn_unprivileged(c));
            if (rc == 0 && !unchanged(tx)) {
                rc = -EAGAIN;
            }
        }
        if (rc == 0) {
            commit(c, tx);
        }
    }
    destroy(tx);
    return rc;
}
