/*
 * Removing nodes: on request, and when their owner has gone; and checking the tree. Read nodeops.h
 * first.
 */
#include "xenstored/nodeops.h"
#include "xenstored/transaction.h"
#include "xenstored/tree.h"
#include "xenstored/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

/* A walk down the tree: the path so far, which children are appended to. */
struct walk {
    struct conn *conn;
    char path[PATH_BUFFER];
    size_t len, root_len;
    struct domain *owner;
};

/* Appends "/name"; returns the length before, or 0 where there is no room. */
static size_t descend(struct walk *w, const char *name)
{
    size_t before = w->len, n = strlen(name);
    size_t at = w->len == 1 ? 0 : w->len;

    if (at + 1 + n >= sizeof(w->path)) {
        return 0;
    }
    w->path[at] = '/';
    memcpy(w->path + at + 1, name, n + 1);
    w->len = at + 1 + n;
    return before;
}

static void ascend(struct walk *w, size_t before)
{
    w->len = before;
    w->path[before] = '\0';
}

/* Removes what is below the path, then the node itself. */
static int remove_below(struct walk *w)
{
    struct path p = path_of(w->path, w->len);
    int rc = 0;
    struct node *n = view_read(w->conn, &p, &rc);

    if (!n) {
        /* A name without a node: this transaction saw the parent before the child was removed. */
        return rc == -ENOENT ? -EIO : rc;
    }
    node_ref(n);
    for (uint32_t off = 0; off < n->childlen && rc == 0;) {
        const char *name = node_children(n) + off;
        size_t before = descend(w, name);

        off += (uint32_t)strlen(name) + 1;
        if (before) {
            rc = remove_below(w);
            ascend(w, before);
        }
    }
    if (rc == 0) {
        p = path_of(w->path, w->len);
        rc = view_remove(w->conn, &p);
    }
    if (rc == 0) {
        view_fire(w->conn, &p, n, w->len != w->root_len, NULL);
        view_count_node(w->conn, n->perms[0].domid, -1);
    }
    node_put(n);
    return rc;
}

/* Removes a subtree whose parent exists, and its name from the parent. */
static int remove_tree(struct conn *c, const struct path *p)
{
    struct path up = path_parent(p);
    struct walk *w;
    struct node *parent;
    size_t len;
    const char *name = path_base(p, &len);
    int rc = 0;

    parent = view_read(c, &up, &rc);
    if (!parent) {
        return rc == -ENOSPC ? rc : -EINVAL;
    }
    node_ref(parent);
    w = xmalloc(sizeof(*w));
    w->conn = c;
    w->owner = NULL;
    memcpy(w->path, p->s, p->len);
    w->len = w->root_len = p->len;
    rc = remove_below(w);
    free(w);
    if (rc == 0) {
        struct node *n = node_without_child(parent, name, len);

        if (n) {
            perm_mark_stale(n->perms, n->nperms, parent->generation);
            rc = view_write(c, &up, n, true);
        } else {
            log_msg(LOG_ERR, "no name in its parent for '%.*s'", (int)p->len, p->s);
            rc = -EIO;
        }
    }
    node_put(parent);
    return rc;
}

int nodeops_rm(struct conn *c, const struct path *p)
{
    int rc = 0;
    struct path up;

    if (!nodeops_get(c, p, PERM_WRITE, &rc)) {
        if (rc != -ENOENT) {
            return rc;
        }
        up = path_parent(p);
        return view_read(c, &up, &rc) ? 0 : rc;
    }
    if (path_is_root(p)) {
        return -EINVAL;
    }
    return remove_tree(c, p);
}

/* Gives a node to the privileged domain. */
static void adopt(struct domain *d, const struct path *p, struct node *n)
{
    struct node *copy = node_new(n->perms, n->nperms, node_data(n), n->datalen, n);

    copy->perms[0].domid = domain_privileged;
    d->nodes--;
    view_count_node(NULL, domain_privileged, 1);
    view_write(NULL, p, copy, true);
}

static void forget_below(struct walk *w)
{
    struct path p = path_of(w->path, w->len);
    struct node *n = tree_get(&p);

    if (!n) {
        return;
    }
    if (n->perms[0].domid == w->owner->domid) {
        if (!domain_keep_orphans && !path_is_root(&p)) {
            remove_tree(NULL, &p);
            return;
        }
        adopt(w->owner, &p, n);
        n = tree_get(&p);
    }
    node_ref(n);
    for (uint32_t off = 0; off < n->childlen && w->owner->nodes > 0;) {
        const char *name = node_children(n) + off;
        size_t before = descend(w, name);

        off += (uint32_t)strlen(name) + 1;
        if (before) {
            forget_below(w);
            ascend(w, before);
        }
    }
    node_put(n);
}

void nodeops_forget_owner(struct domain *d)
{
    struct walk *w;

    if (d->nodes <= 0) {
        return;
    }
    w = xmalloc(sizeof(*w));
    memset(w, 0, sizeof(*w));
    w->owner = d;
    w->path[0] = '/';
    w->len = 1;
    forget_below(w);
    free(w);
}

/* Drops names that have no node; counts the nodes that have names. */
static size_t check_below(struct walk *w, unsigned *wrong)
{
    struct path p = path_of(w->path, w->len);
    struct node *n = tree_get(&p);
    size_t seen = 1;

    node_ref(n);
    for (uint32_t off = 0; off < n->childlen;) {
        const char *name = node_children(n) + off;
        size_t before = descend(w, name);
        struct path child = path_of(w->path, w->len);

        off += (uint32_t)strlen(name) + 1;
        if (!before) {
            continue;
        }
        if (tree_get(&child)) {
            seen += check_below(w, wrong);
        } else {
            struct node *now, *fixed;

            log_msg(LOG_ERR, "store check: '%s' has a name but no node", w->path);
            (*wrong)++;
            ascend(w, before);
            p = path_of(w->path, w->len);
            now = tree_get(&p);
            fixed = node_without_child(now, name, strlen(name));
            if (fixed) {
                view_write(NULL, &p, fixed, true);
            }
            continue;
        }
        ascend(w, before);
    }
    node_put(n);
    return seen;
}

unsigned nodeops_check(void)
{
    struct walk *w = xmalloc(sizeof(*w));
    struct path root = path_str("/");
    unsigned wrong = 0;
    size_t seen;

    memset(w, 0, sizeof(*w));
    w->path[0] = '/';
    w->len = 1;
    seen = tree_get(&root) ? check_below(w, &wrong) : 0;
    free(w);
    if (seen != tree_count()) {
        log_msg(LOG_ERR, "store check: %zu nodes cannot be reached", tree_count() - seen);
        wrong += (unsigned)(tree_count() - seen);
    }
    return wrong;
}
