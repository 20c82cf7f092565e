/*
 * The hash table behind the tree. Read tree.h first.
 */
#include "xenstored/tree.h"
#include "xenstored/persist.h"

#include <stdlib.h>

struct entry {
    struct entry *next;
    uint64_t hash;
    struct node *node;
    uint32_t len;
    char path[];
};

static struct entry **table;
static size_t table_size; /* a power of two, or 0 */
static size_t entries;

uint64_t tree_generation;

static struct entry **find_slot(const struct path *p)
{
    struct entry **slot;

    if (table_size == 0) {
        return NULL;
    }
    slot = &table[p->hash & (table_size - 1)];
    while (*slot && !((*slot)->hash == p->hash && (*slot)->len == p->len &&
                      memcmp((*slot)->path, p->s, p->len) == 0)) {
        slot = &(*slot)->next;
    }
    return slot;
}

static void grow(void)
{
    size_t size = table_size ? table_size * 2 : 1024;
    struct entry **bigger = xcalloc(size, sizeof(*bigger));

    for (size_t i = 0; i < table_size; i++) {
        struct entry *e = table[i], *next;

        for (; e; e = next) {
            next = e->next;
            e->next = bigger[e->hash & (size - 1)];
            bigger[e->hash & (size - 1)] = e;
        }
    }
    free(table);
    table = bigger;
    table_size = size;
}

struct node *tree_get(const struct path *p)
{
    struct entry **slot = find_slot(p);

    return slot && *slot ? (*slot)->node : NULL;
}

void tree_set(const struct path *p, struct node *n)
{
    struct entry **slot;
    struct entry *e;

    if (entries >= table_size) {
        grow();
    }
    slot = find_slot(p);
    persist_node(p, *slot ? (*slot)->node : NULL, n);
    if (*slot) {
        node_put((*slot)->node);
        (*slot)->node = n;
        return;
    }
    e = xmalloc(sizeof(*e) + p->len + 1);
    e->next = NULL;
    e->hash = p->hash;
    e->len = p->len;
    e->node = n;
    memcpy(e->path, p->s, p->len);
    e->path[p->len] = '\0';
    *slot = e;
    entries++;
}

void tree_remove(const struct path *p)
{
    struct entry **slot = find_slot(p);
    struct entry *e = slot ? *slot : NULL;

    if (!e) {
        return;
    }
    persist_node_gone(p);
    *slot = e->next;
    entries--;
    node_put(e->node);
    free(e);
}

void tree_each(void (*f)(const struct path *p, struct node *n, void *arg), void *arg)
{
    for (size_t i = 0; i < table_size; i++) {
        for (struct entry *e = table[i]; e; e = e->next) {
            struct path p = {.s = e->path, .len = e->len, .hash = e->hash};

            f(&p, e->node, arg);
        }
    }
}

size_t tree_count(void)
{
    return entries;
}

void tree_clear(void)
{
    for (size_t i = 0; i < table_size; i++) {
        struct entry *e = table[i], *next;

        for (; e; e = next) {
            next = e->next;
            node_put(e->node);
            free(e);
        }
    }
    free(table);
    table = NULL;
    table_size = entries = 0;
    tree_generation = 0;
}
