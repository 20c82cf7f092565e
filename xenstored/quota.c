/*
 * The limits and their names. Read quota.h first.
 */
#include "xenstored/quota.h"

#include <xen/io/xs_wire.h>

struct quotas quota = {
    .nodes = 1000,
    .watches = 128,
    .transactions = 10,
    .outstanding = 20,
    .transaction_nodes = 1024,
    .memory_hard = 2560 * 1024,
    .node_size = 2048,
    .path_max = XENSTORE_REL_PATH_MAX,
    .permissions = 5,
    .memory_soft = 2048 * 1024,
    .event_timeout_ms = 20000,
};

const struct quota_name quota_hard_names[] = {
    {"nodes", &quota.nodes, "Nodes per domain"},
    {"watches", &quota.watches, "Watches per domain"},
    {"transactions", &quota.transactions, "Transactions per domain"},
    {"outstanding", &quota.outstanding, "Outstanding requests per domain"},
    {"transaction-nodes", &quota.transaction_nodes,
     "Max. number of accessed nodes per transaction"},
    {"memory", &quota.memory_hard, "Total Xenstore memory per domain (error level)"},
    {"node-size", &quota.node_size, "Max. size of a node"},
    {"path-max", &quota.path_max, "Max. length of a node path"},
    {"permissions", &quota.permissions, "Max. number of permissions per node"},
    {NULL, NULL, NULL},
};

const struct quota_name quota_soft_names[] = {
    {"memory", &quota.memory_soft, "Total Xenstore memory per domain (warning level)"},
    {NULL, NULL, NULL},
};

int *quota_find(const struct quota_name *table, const char *name)
{
    for (; table->name; table++) {
        if (strcmp(table->name, name) == 0) {
            return table->value;
        }
    }
    return NULL;
}

/* A stored record: a header of 24 bytes, 8 for each permission, the data, the names. */
int64_t quota_record_bytes(const struct node *n)
{
    return 24 + (int64_t)n->nperms * 8 + n->datalen + n->childlen;
}

int64_t quota_node_bytes(const struct path *p, const struct node *n, unsigned extra_key)
{
    return quota_record_bytes(n) + p->len + extra_key;
}
