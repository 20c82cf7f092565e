/*
 * Limits for unprivileged domains, their names, and the accounting of memory.
 *
 * The limits, their defaults and what counts against them are those of the store that guests know
 * (Xen 4.17): a driver domain that fits there fits here.
 */
#ifndef XENSTORED_QUOTA_H
#define XENSTORED_QUOTA_H

#include "xenstored/node.h"
#include "xenstored/path.h"

struct quotas {
    int nodes;             /* nodes owned by one domain */
    int watches;           /* watches of one domain */
    int transactions;      /* open transactions of one domain */
    int outstanding;       /* requests whose answer or events nobody has taken yet */
    int transaction_nodes; /* nodes touched by one transaction */
    int memory_hard;       /* bytes; above it a domain is not served */
    int node_size;         /* bytes of one node, its permissions and list of children included */
    int path_max;          /* characters of a path below a domain's home */
    int permissions;       /* entries in one permission list */
    int memory_soft;       /* bytes; above it the log says so */
    int event_timeout_ms;  /* how long an event waits for an unprivileged domain; 0: for ever */
};

extern struct quotas quota;

struct quota_name {
    const char *name;
    int *value;
    const char *description;
};

/* Tables for XS_CONTROL and the command line; the last row has a NULL name. */
extern const struct quota_name quota_hard_names[], quota_soft_names[];

/* The value behind a name, or NULL. */
int *quota_find(const struct quota_name *table, const char *name);

/* What a node's version costs. extra_key: characters the path has more in the accounting's eyes. */
int64_t quota_node_bytes(const struct path *p, const struct node *n, unsigned extra_key);

/* The part of it that node_size limits. */
int64_t quota_record_bytes(const struct node *n);

#endif
