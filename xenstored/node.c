/*
 * Node versions and their child name buffers. Read node.h first.
 */
#include "xenstored/node.h"

#include <stdlib.h>

static void names_put(struct names *names)
{
    if (names && --names->refs == 0) {
        free(names);
    }
}

static struct names *names_new(uint32_t cap)
{
    struct names *names = xmalloc(sizeof(*names) + cap);

    names->refs = 1;
    names->used = 0;
    names->cap = cap;
    return names;
}

struct node *node_new(const struct perm *perms, uint32_t nperms, const void *data, uint32_t datalen,
                      const struct node *like)
{
    struct node *n = xmalloc(sizeof(*n) + nperms * sizeof(*perms) + datalen);

    n->refs = 1;
    n->nperms = nperms;
    n->datalen = datalen;
    n->generation = 0;
    n->childlen = 0;
    n->names = NULL;
    memcpy(n->perms, perms, nperms * sizeof(*perms));
    if (datalen) {
        memcpy(node_data(n), data, datalen);
    }
    if (like && like->childlen) {
        n->names = like->names;
        n->names->refs++;
        n->childlen = like->childlen;
    }
    return n;
}

struct node *node_ref(struct node *n)
{
    n->refs++;
    return n;
}

void node_put(struct node *n)
{
    if (n && --n->refs == 0) {
        names_put(n->names);
        free(n);
    }
}

static struct node *node_copy(const struct node *n)
{
    struct node *copy = node_new(n->perms, n->nperms, node_data(n), n->datalen, n);

    copy->generation = n->generation;
    return copy;
}

struct node *node_with_child(const struct node *n, const char *name, size_t len)
{
    struct node *copy = node_copy(n);
    uint32_t need = (uint32_t)len + 1;
    struct names *names = copy->names;

    /* Append in place if this version ends where the buffer does; else branch off. */
    if (!names || names->used != copy->childlen || names->cap - names->used < need) {
        names = names_new((copy->childlen + need) * 2);
        memcpy(names->text, node_children(copy), copy->childlen);
        names->used = copy->childlen;
        names_put(copy->names);
        copy->names = names;
    }
    memcpy(names->text + names->used, name, len);
    names->text[names->used + len] = '\0';
    names->used += need;
    copy->childlen += need;
    return copy;
}

/* The offset of a name in a list of names, or -1. */
static long find_name(const char *text, uint32_t textlen, const char *name, size_t len)
{
    uint32_t off = 0;

    while (off < textlen) {
        size_t here = strlen(text + off);

        if (here == len && memcmp(text + off, name, len) == 0) {
            return (long)off;
        }
        off += (uint32_t)here + 1;
    }
    return -1;
}

struct node *node_without_child(const struct node *n, const char *name, size_t len)
{
    uint32_t gone = (uint32_t)len + 1;
    long off = find_name(node_children(n), n->childlen, name, len);
    struct node *copy;
    struct names *names;
    size_t tail;

    if (off < 0) {
        return NULL;
    }
    copy = node_new(n->perms, n->nperms, node_data(n), n->datalen, NULL);
    copy->generation = n->generation;
    if (n->childlen == gone) {
        return copy;
    }
    names = names_new(n->childlen);
    tail = n->childlen - (size_t)off - gone;
    memcpy(names->text, node_children(n), (size_t)off);
    memcpy(names->text + off, node_children(n) + off + gone, tail);
    names->used = n->childlen - gone;
    copy->names = names;
    copy->childlen = names->used;
    return copy;
}

void node_set_children(struct node *n, const char *text, uint32_t len)
{
    names_put(n->names);
    n->names = NULL;
    n->childlen = len;
    if (len) {
        n->names = names_new(len);
        memcpy(n->names->text, text, len);
        n->names->used = len;
    }
}
