/*
 * What can be done with nodes: the operations behind READ, WRITE, MKDIR, RM, DIRECTORY and
 * permissions.
 *
 * Every operation takes a canonical path and the connection on whose behalf it is done (NULL: the
 * daemon's own), works inside the connection's transaction if it has one, and fires watches. The
 * order in which things are checked is part of the protocol as guests know it: see each function.
 */
#ifndef XENSTORED_NODEOPS_H
#define XENSTORED_NODEOPS_H

#include "xenstored/connection.h"
#include "xenstored/node.h"
#include "xenstored/path.h"
#include "xenstored/permission.h"

/*
 * The node, if the connection has all of the rights. NULL and *error: -EINVAL (no such path can
 * be), -ENOENT, -EACCES, -ENOSPC. What stands in the way of the rights is told only to those who
 * have them on the nearest existing parent; everyone else gets -EACCES.
 */
struct node *nodeops_get(struct conn *c, const struct path *p, unsigned rights, int *error);

/* Creates or overwrites; missing parents are created, with the nearest parent's permissions. */
int nodeops_write(struct conn *c, const struct path *p, const void *data, uint32_t len);
int nodeops_mkdir(struct conn *c, const struct path *p);

/* Removes the node and all below. 0 too if it is missing but its parent exists. */
int nodeops_rm(struct conn *c, const struct path *p);

int nodeops_set_perms(struct conn *c, const struct path *p, const struct perms *perms);

/* Makes the first nodes of an empty store. */
void nodeops_init_tree(void);

/* Removes what a domain owns, or gives it to the privileged domain (domain_keep_orphans). */
void nodeops_forget_owner(struct domain *d);

/* Looks for names without nodes and nodes without names, repairs and logs. The number found. */
unsigned nodeops_check(void);

#endif
