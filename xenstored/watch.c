/*
 * The table of watches, and firing them. Read watch.h first.
 */
#include "xenstored/watch.h"
#include "xenstored/permission.h"
#include "xenstored/persist.h"
#include "xenstored/tree.h"

#include <errno.h>
#include <stdlib.h>

static struct watch **table;
static size_t table_size, watches;
static uint64_t next_serial;

/* How many watches have a path of each length: most of a path's prefixes needn't be looked up. */
static uint32_t of_length[PATH_BUFFER];

static void grow(void)
{
    size_t size = table_size ? table_size * 2 : 256;
    struct watch **bigger = xcalloc(size, sizeof(*bigger));

    for (size_t i = 0; i < table_size; i++) {
        struct watch *w = table[i], *next;

        for (; w; w = next) {
            next = w->next_hash;
            w->next_hash = bigger[w->path.hash & (size - 1)];
            bigger[w->path.hash & (size - 1)] = w;
        }
    }
    free(table);
    table = bigger;
    table_size = size;
}

static bool same_path(const struct path *a, const struct path *b)
{
    return a->hash == b->hash && a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

struct watch *watch_find(struct conn *c, const struct path *p, const char *token)
{
    struct watch *w = table_size ? table[p->hash & (table_size - 1)] : NULL;

    for (; w; w = w->next_hash) {
        if (w->conn == c && same_path(&w->path, p) && strcmp(w->token, token) == 0) {
            return w;
        }
    }
    return NULL;
}

int watch_add(struct conn *c, const struct path *p, const char *token, bool relative,
              uint32_t depth, bool unlimited)
{
    size_t tokenlen = strlen(token);
    struct watch *w;

    if (p->len >= PATH_BUFFER) {
        return -EINVAL;
    }
    if (!domain_charge(c->id, (int64_t)(p->len + tokenlen), !unlimited)) {
        return -ENOMEM;
    }
    w = xmalloc(sizeof(*w) + p->len + 1 + tokenlen + 1);
    memcpy(w->text, p->s, p->len);
    w->text[p->len] = '\0';
    w->path = (struct path){.s = w->text, .len = p->len, .hash = p->hash};
    w->token = w->text + p->len + 1;
    memcpy(w->token, token, tokenlen + 1);
    w->conn = c;
    w->serial = next_serial++;
    w->depth = depth;
    w->relative = relative ? (uint32_t)strlen(conn_home(c)) : 0;
    if (watches >= table_size) {
        grow();
    }
    w->next_hash = table[p->hash & (table_size - 1)];
    table[p->hash & (table_size - 1)] = w;
    watches++;
    of_length[p->len]++;
    list_append(&c->watches, &w->link);
    if (c->domain) {
        c->domain->watches++;
    }
    persist_watch(w, true);
    return 0;
}

void watch_delete(struct watch *w)
{
    struct watch **slot = &table[w->path.hash & (table_size - 1)];

    persist_watch(w, false);
    while (*slot != w) {
        slot = &(*slot)->next_hash;
    }
    *slot = w->next_hash;
    watches--;
    of_length[w->path.len]--;
    list_remove(&w->link);
    domain_charge(w->conn->id, -(int64_t)(w->path.len + strlen(w->token)), false);
    if (w->conn->domain && w->conn->domain->watches > 0) {
        w->conn->domain->watches--;
    }
    free(w);
}

void watch_delete_all(struct conn *c)
{
    while (!list_empty(&c->watches)) {
        watch_delete(list_first(&c->watches, struct watch, link));
    }
}

const char *watch_event_path(const struct watch *w, const struct path *p, size_t *len)
{
    size_t skip = w->relative;

    if (skip && skip < p->len && p->s[skip] == '/') {
        skip++;
    }
    *len = skip < p->len ? p->len - skip : 0;
    return p->s + (skip < p->len ? skip : p->len);
}

/* Watches that match one change. */
struct matches {
    struct watch **p;
    size_t count, cap;
};

static struct matches found;

static void collect(const struct path *at, unsigned levels)
{
    struct watch *w = table[at->hash & (table_size - 1)];

    for (; w; w = w->next_hash) {
        if (!same_path(&w->path, at) || levels > w->depth) {
            continue;
        }
        if (found.count == found.cap) {
            found.cap = found.cap ? found.cap * 2 : 16;
            found.p = xrealloc(found.p, found.cap * sizeof(*found.p));
        }
        found.p[found.count++] = w;
    }
}

static int by_serial(const void *a, const void *b)
{
    const struct watch *x = *(struct watch *const *)a, *y = *(struct watch *const *)b;

    return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* May this connection know of the change? It can read the node, could before, or can its parent. */
static bool permitted(const struct conn *c, const struct path *p, struct node *n,
                      const struct node *before)
{
    struct path up;
    struct node *parent;

    if (before && (perm_of_node(c, before) & PERM_READ)) {
        return true;
    }
    if (!n) {
        n = tree_get(p);
        if (!n) {
            return false;
        }
    }
    if (perm_of_node(c, n) & PERM_READ) {
        return true;
    }
    up = path_parent(p);
    parent = tree_get(&up);
    return parent && (perm_of_node(c, parent) & PERM_READ);
}

void watch_fire(struct conn *from, const struct path *p, struct node *n, bool exact,
                const struct node *before)
{
    struct path at;
    unsigned levels = 0;

    if (watches == 0) {
        return;
    }
    found.count = 0;
    if (of_length[p->len]) {
        collect(p, 0);
    }
    for (size_t len = p->len; !exact && len > 1;) {
        len = path_parent_len(p->s, len);
        levels++;
        if (of_length[len]) {
            at = path_of(p->s, len);
            collect(&at, levels);
        }
    }
    if (found.count > 1) {
        qsort(found.p, found.count, sizeof(*found.p), by_serial);
    }
    for (size_t i = 0; i < found.count; i++) {
        struct watch *w = found.p[i];
        const char *path;
        size_t len;

        if (permitted(w->conn, p, n, before)) {
            path = watch_event_path(w, p, &len);
            conn_event(w->conn, from, path, len, w->token);
        }
    }
}

void watch_fire_special(const char *name)
{
    struct path p = path_str(name);
    const struct perms *perms = perm_special(name, p.len);

    if (watches == 0 || !perms) {
        return;
    }
    found.count = 0;
    collect(&p, 0);
    if (found.count > 1) {
        qsort(found.p, found.count, sizeof(*found.p), by_serial);
    }
    for (size_t i = 0; i < found.count; i++) {
        /* These lists are never too old to count (generation: now). */
        if (perm_of(found.p[i]->conn, perms->p, perms->count, tree_generation) & PERM_READ) {
            conn_event(found.p[i]->conn, NULL, name, p.len, found.p[i]->token);
        }
    }
}
