/*
 * Transactions, and the view of the store that a request has, inside one or not.
 *
 * Optimistic: a transaction keeps, for each node it has touched, the generation it saw first and a
 * reference to its own version. Nothing is copied at the start, and a commit looks only at what was
 * touched: if a node that was read has another generation now, the answer is EAGAIN and nothing has
 * changed; else its versions become the tree's, in the order of first touch, and the watches fire.
 *
 * Every function here works on the transaction of c's current request (c->tx), or directly on the
 * tree where that is NULL; c may be NULL for the daemon's own doings.
 */
#ifndef XENSTORED_TRANSACTION_H
#define XENSTORED_TRANSACTION_H

#include "xenstored/connection.h"
#include "xenstored/node.h"
#include "xenstored/path.h"

/* One node touched. */
struct touched {
    struct touched *next_hash;
    struct touched *next; /* in order of first touch */
    uint64_t generation;  /* first seen; NO_GENERATION: there was no node */
    struct node *seen;    /* the version first seen, or NULL */
    struct node *version; /* as it is inside; NULL: does not exist */
    bool check;           /* was read: has to be unchanged at the end */
    bool modified;
    bool fire, fire_exact;
    struct path path; /* of name */
    char name[];
};

/* How many more (or fewer) nodes a domain will own. */
struct node_delta {
    uint32_t domid;
    int nodes;
};

struct transaction {
    struct list link; /* in conn->transactions */
    struct conn *conn;
    uint32_t id;
    uint64_t generation; /* of the start */
    uint64_t started_ms;
    struct touched *first, **last;
    struct touched **table; /* hash */
    uint32_t table_size, count;
    struct node_delta *deltas;
    uint32_t ndeltas;
    bool created; /* at least one node */
    bool failed;  /* an operation could not be undone: will not commit */
    bool stale;   /* lived over a restart: its end will be EAGAIN */
};

/* --- the view -------------------------------------------------------------------------------- */

/* The node as the request sees it, or NULL with *error: -ENOENT, -ENOSPC. Borrowed until changed.
 */
struct node *view_read(struct conn *c, const struct path *p, int *error);

/*
 * Makes n the node; takes the caller's reference, whatever comes of it. unlimited: no quota
 * applies. 0, -ENOSPC (too large, or too many nodes touched), -EIO (memory quota).
 */
int view_write(struct conn *c, const struct path *p, struct node *n, bool unlimited);

/* Removes the node. 0 or -errno. */
int view_remove(struct conn *c, const struct path *p);

/* The number of nodes a domain owns. 0, or -ENOMEM where there is no such domain. */
int view_count_node(struct conn *c, uint32_t owner, int delta);

/* Fires the watches of a node now, or notes that they are to fire at the end of the transaction. */
void view_fire(struct conn *c, const struct path *p, struct node *n, bool exact,
               const struct node *before);

/* An operation failed half way inside a transaction: its end will be an error. No-op outside. */
void view_fail(struct conn *c);

/* --- life ------------------------------------------------------------------------------------ */

struct transaction *transaction_find(struct conn *c, uint32_t id);
int transaction_start(struct conn *c, uint32_t *id);

/* Ends c->tx, which is gone then. 0, -EAGAIN, -ENOSPC, -ENOMEM. */
int transaction_end(struct conn *c, bool commit);
void transaction_delete_all(struct conn *c);

/* A transaction that was open when the daemon was restarted. */
void transaction_restore(struct conn *c, uint32_t id);

#endif
