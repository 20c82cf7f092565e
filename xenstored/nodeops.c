/*
 * Creating, writing and reading nodes. Read nodeops.h first; removal is in noderm.c.
 */
#include "xenstored/nodeops.h"
#include "xenstored/quota.h"
#include "xenstored/transaction.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

#include <errno.h>
#include <stdlib.h>

/* The rights on the nearest existing parent; 0 or -ENOSPC. */
static int rights_on_parents(struct conn *c, struct path p, unsigned *rights)
{
    struct node *n;
    int error = 0;

    do {
        p = path_parent(&p);
        n = view_read(c, &p, &error);
        if (!n && error == -ENOSPC) {
            return error;
        }
    } while (!n && !path_is_root(&p));
    *rights = n ? perm_of_node(c, n) : PERM_NONE;
    return 0;
}

struct node *nodeops_get(struct conn *c, const struct path *p, unsigned rights, int *error)
{
    unsigned above = PERM_NONE;
    struct node *n;
    int rc;

    /* What is in the tree has a valid name. */
    n = p->len <= (uint32_t)quota.path_max ? tree_get(p) : NULL;
    if (!n && !path_is_valid(p->s, p->len, (size_t)quota.path_max)) {
        *error = -EINVAL;
        return NULL;
    }
    if (!n || (c && c->tx)) {
        n = view_read(c, p, error);
    }
    if (n) {
        if ((perm_of_node(c, n) & rights) == rights) {
            return n;
        }
        *error = -EACCES;
    }
    if (*error == -ENOSPC) {
        return NULL;
    }
    rc = rights_on_parents(c, *p, &above);
    if (rc < 0) {
        *error = rc;
    } else if (!(above & rights)) {
        *error = -EACCES;
    }
    return NULL;
}

/* A version with other data and up-to-date permissions. */
static struct node *with_data(const struct node *n, const void *data, uint32_t len)
{
    struct node *copy = node_new(n->perms, n->nperms, data, len, n);

    perm_mark_stale(copy->perms, copy->nperms, n->generation);
    return copy;
}

/* A new node's first version: the parent's permissions, but a guest owns what it creates. */
static struct node *inherit(struct conn *c, const struct node *parent, const void *data,
                            uint32_t len)
{
    struct node *n = node_new(parent->perms, parent->nperms, data, len, NULL);

    perm_mark_stale(n->perms, n->nperms, parent->generation);
    if (c && conn_unprivileged(c)) {
        n->perms[0].domid = c->id;
    }
    return n;
}

/* Takes back a node that create() had written already. */
static void undo(struct conn *c, const struct path *p, uint32_t owner)
{
    view_remove(c, p);
    view_count_node(c, owner, -1);
    view_fail(c);
}

/* Writes one new node and counts it. */
static int add_new(struct conn *c, const struct path *p, struct node *n)
{
    uint32_t owner = n->perms[0].domid;
    int rc;

    if (c && conn_unprivileged(c) && c->domain->nodes >= quota.nodes) {
        node_put(n);
        return -ENOSPC;
    }
    rc = view_write(c, p, n, false);
    if (rc == 0 && view_count_node(c, owner, 1) < 0) {
        view_remove(c, p);
        rc = -ENOMEM;
    }
    return rc;
}

/*
 * Creates the node at p below the nearest existing node: the new ones from the bottom up, each with
 * the one below as its only child, and last that existing node's list of children.
 */
static int create(struct conn *c, const struct path *p, const void *data, uint32_t len)
{
    struct path top = path_parent(p), at = *p, child;
    struct node *base, *n;
    uint32_t owner;
    int rc = 0;

    while (!(base = view_read(c, &top, &rc))) {
        if (rc != -ENOENT || path_is_root(&top)) {
            return rc;
        }
        top = path_parent(&top);
    }
    if (c && c->tx) {
        c->tx->created = true;
    }
    node_ref(base);
    owner = c && conn_unprivileged(c) ? c->id : base->perms[0].domid;
    child = *p;
    for (rc = 0; at.len != top.len; at = path_parent(&at)) {
        n = inherit(c, base, at.len == p->len ? data : NULL, at.len == p->len ? len : 0);
        if (at.len != p->len) {
            size_t baselen;
            const char *name = path_base(&child, &baselen);
            struct node *with = node_with_child(n, name, baselen);

            node_put(n);
            n = with;
        }
        rc = add_new(c, &at, n);
        if (rc < 0) {
            break;
        }
        child = at;
    }
    if (rc == 0) {
        size_t baselen;
        const char *name = path_base(&child, &baselen);

        n = node_with_child(base, name, baselen);
        perm_mark_stale(n->perms, n->nperms, base->generation);
        rc = view_write(c, &top, n, false);
    }
    node_put(base);
    if (rc < 0) {
        for (struct path q = *p; q.len != at.len; q = path_parent(&q)) {
            undo(c, &q, owner);
        }
        view_fail(c);
    }
    return rc;
}

int nodeops_write(struct conn *c, const struct path *p, const void *data, uint32_t len)
{
    int rc = 0;
    struct node *n = nodeops_get(c, p, PERM_WRITE, &rc);

    if (n) {
        n = with_data(n, data, len);
        node_ref(n);
        rc = view_write(c, p, n, false);
    } else if (rc == -ENOENT) {
        rc = create(c, p, data, len);
    }
    if (rc == 0) {
        view_fire(c, p, n, false, NULL);
    }
    node_put(n);
    return rc;
}

int nodeops_mkdir(struct conn *c, const struct path *p)
{
    int rc = 0;

    if (nodeops_get(c, p, PERM_WRITE, &rc)) {
        return 0;
    }
    if (rc == -ENOENT) {
        rc = create(c, p, NULL, 0);
        if (rc == 0) {
            view_fire(c, p, NULL, false, NULL);
        }
    }
    return rc;
}

int nodeops_set_perms(struct conn *c, const struct path *p, const struct perms *perms)
{
    uint32_t owner_before, owner = perms->p[0].domid;
    int rc = 0;
    struct node *n = nodeops_get(c, p, PERM_WRITE | PERM_OWNER, &rc);
    struct node *old;

    if (!n) {
        return rc;
    }
    owner_before = n->perms[0].domid;
    if (conn_unprivileged(c) && owner != owner_before) {
        return -EPERM;
    }
    view_count_node(c, owner_before, -1);
    rc = view_count_node(c, owner, 1);
    if (rc < 0) {
        view_count_node(c, owner_before, 1);
        return rc;
    }
    old = node_ref(n);
    n = node_new(perms->p, perms->count, node_data(old), old->datalen, old);
    node_ref(n);
    rc = view_write(c, p, n, false);
    if (rc < 0) {
        view_count_node(c, owner, -1);
        view_count_node(c, owner_before, 1);
    } else {
        view_fire(c, p, n, false, old);
    }
    node_put(n);
    node_put(old);
    return rc;
}

void nodeops_init_tree(void)
{
    static const char *const paths[] = {"/", "/tool", "/tool/xenstored"};
    static const char *const children[] = {"tool", "xenstored", NULL};
    struct perm owner = {.domid = 0, .bits = PERM_NONE};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct path p = path_str(paths[i]);
        struct node *n = node_new(&owner, 1, NULL, 0, NULL);

        if (children[i]) {
            node_set_children(n, children[i], (uint32_t)strlen(children[i]) + 1);
        }
        view_write(NULL, &p, n, true);
        view_count_node(NULL, 0, 1);
    }
}
