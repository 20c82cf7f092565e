/*
 * Paths of nodes, as slices with their hash.
 *
 * A slice is not NUL-terminated by itself: a parent's path is the front part of its child's.
 */
#ifndef XENSTORED_PATH_H
#define XENSTORED_PATH_H

#include "xenstored/util.h"

struct path {
    const char *s;
    uint32_t len;
    uint64_t hash;
};

/* Longest canonical path that can be made from a request: "/local/domain/NNNNN/" and a payload. */
#define PATH_BUFFER (4096 + 32)

static inline struct path path_of(const char *s, size_t len)
{
    return (struct path){.s = s, .len = (uint32_t)len, .hash = hash_bytes(s, len)};
}

static inline struct path path_str(const char *s)
{
    return path_of(s, strlen(s));
}

static inline bool path_is_root(const struct path *p)
{
    return p->len == 1;
}

/* The path one level up; the root's parent is the root. p must be a valid node path. */
struct path path_parent(const struct path *p);

/* The length of that path, for the valid node path s of len bytes. */
size_t path_parent_len(const char *s, size_t len);

/* The last component (of a path that is not the root); it ends where p ends. */
const char *path_base(const struct path *p, size_t *len);

/*
 * The rules of the protocol: absolute, no empty component, no trailing slash, the characters
 * A-Z a-z 0-9 - / _ @, and a length limit that does not count "/local/domain/N/".
 */
bool path_is_valid(const char *s, size_t len, size_t max);

/* True if child is parent or below it (both whole paths). */
bool path_is_below(const struct path *child, const struct path *parent);

/* How many levels child is below parent, given that it is. */
unsigned path_levels_below(const struct path *child, const struct path *parent);

#endif
