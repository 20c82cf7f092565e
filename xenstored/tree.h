/*
 * The global tree: from a path to the current version of its node.
 *
 * One hash table over full paths. A node's parent is found by looking up the shorter path, its
 * children through the names in the node; the table itself knows no order. Every change is also
 * written to the log (persist.h), so that a restarted daemon finds the same tree.
 * Accounting (quotas) is the caller's: store.h.
 */
#ifndef XENSTORED_TREE_H
#define XENSTORED_TREE_H

#include "xenstored/node.h"
#include "xenstored/path.h"

/* The current version of a node (borrowed: valid until the node changes), or NULL. */
struct node *tree_get(const struct path *p);

/* Makes n the current version; takes over the caller's reference. */
void tree_set(const struct path *p, struct node *n);

/* Removes one node (not its children). Nothing happens if there is none. */
void tree_remove(const struct path *p);

/* Calls f for every node, in no order. f must not change the tree. */
void tree_each(void (*f)(const struct path *p, struct node *n, void *arg), void *arg);

size_t tree_count(void);

/* Forgets everything, without a trace in the log. */
void tree_clear(void);

/* The store's clock: the generation of the latest change. */
extern uint64_t tree_generation;

#endif
