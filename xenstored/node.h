/*
 * Node versions.
 *
 * A node of the store is a sequence of immutable versions; a version is shared by reference count
 * between the tree (tree.h) and the transactions that have seen it (transaction.h). So a
 * transaction that reads costs a reference, one that writes costs one new version, and starting one
 * costs nothing.
 *
 * Invariants: a version that more than one holder refers to is never changed, with one exception:
 * the buffer of child names may grow behind the end that older versions know (struct names). Child
 * names are kept as the protocol lists them: in order of creation, each with its NUL.
 */
#ifndef XENSTORED_NODE_H
#define XENSTORED_NODE_H

#include "xenstored/util.h"

/* Permission bits; READ and WRITE are the protocol's, the others never leave the daemon. */
#define PERM_NONE   0u
#define PERM_READ   1u
#define PERM_WRITE  2u
#define PERM_OWNER  4u
#define PERM_IGNORE 8u /* the domain had gone when the entry was written: it grants nothing */

struct perm {
    uint32_t domid;
    uint32_t bits;
};

/* A buffer of child names, shared by the versions that follow each other by appending. */
struct names {
    uint32_t refs, used, cap;
    char text[];
};

struct node {
    uint32_t refs;
    uint32_t nperms;
    uint32_t datalen;
    uint32_t childlen;   /* this version's part of names->text */
    uint64_t generation; /* of the last change: what transactions compare */
    struct names *names; /* NULL if childlen is 0 */
    struct perm perms[]; /* perms[0] is the owner; the data follows */
};

/* The generation of a node that does not exist. */
#define NO_GENERATION UINT64_MAX

static inline char *node_data(const struct node *n)
{
    return (char *)(uintptr_t)(n->perms + n->nperms);
}

static inline const char *node_children(const struct node *n)
{
    return n->names ? n->names->text : "";
}

/* A new version with one reference; shares like's child names (like NULL: none). */
struct node *node_new(const struct perm *perms, uint32_t nperms, const void *data, uint32_t datalen,
                      const struct node *like);

struct node *node_ref(struct node *n);
void node_put(struct node *n); /* NULL is fine */

/* A new version with one child more. name needs no NUL. */
struct node *node_with_child(const struct node *n, const char *name, size_t len);

/* A new version with one child less, or NULL if there is none of that name. */
struct node *node_without_child(const struct node *n, const char *name, size_t len);

/* Sets the whole list of a version that nobody else holds. text ends with a NUL or len is 0. */
void node_set_children(struct node *n, const char *text, uint32_t len);

#endif
