/*
 * Watches: who wants to hear of changes at or below a path.
 *
 * Watches are found by the path they were set on: a change at /a/b/c asks for those on /a/b/c,
 * /a/b, /a and /, however many others there are. Within one connection events come in the order in
 * which the watches were set.
 */
#ifndef XENSTORED_WATCH_H
#define XENSTORED_WATCH_H

#include "xenstored/connection.h"
#include "xenstored/node.h"
#include "xenstored/path.h"

#define WATCH_ANY_DEPTH UINT32_MAX

struct watch {
    struct list link; /* in conn->watches */
    struct watch *next_hash;
    struct conn *conn;
    uint64_t serial;   /* order of being set */
    uint32_t depth;    /* levels below path that count, or WATCH_ANY_DEPTH */
    uint32_t relative; /* how much of a path its events leave out */
    struct path path;  /* of text */
    char *token;       /* in text, behind the path */
    char text[];
};

/* The watch of a connection with this path and token, or NULL. */
struct watch *watch_find(struct conn *c, const struct path *p, const char *token);

/* Sets a watch. 0 or -ENOMEM (the domain's memory); unlimited: no quota (restored after a restart).
 */
int watch_add(struct conn *c, const struct path *p, const char *token, bool relative,
              uint32_t depth, bool unlimited);
void watch_delete(struct watch *w);
void watch_delete_all(struct conn *c);

/* The path that an event of a change at p carries. */
const char *watch_event_path(const struct watch *w, const struct path *p, size_t *len);

/*
 * A node has changed. n: its version now (NULL: look it up), before: the one that permitted
 * watchers too (or NULL). exact: only watches on this very path. from: whose request it was, or
 * NULL.
 */
void watch_fire(struct conn *from, const struct path *p, struct node *n, bool exact,
                const struct node *before);

/* "@introduceDomain", "@releaseDomain". */
void watch_fire_special(const char *name);

#endif
