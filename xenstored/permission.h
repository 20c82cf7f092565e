/*
 * Who may do what with a node.
 *
 * A list's first entry names the owner, who may do everything, and what every domain may do that
 * has no entry of its own. Domain 0, the privileged domain and sockets may do everything. A device
 * model's domain has the rights of its target besides its own.
 */
#ifndef XENSTORED_PERMISSION_H
#define XENSTORED_PERMISSION_H

#include "xenstored/node.h"

struct conn;

/* A list outside of a node (requests, special watches). */
struct perms {
    struct perm *p;
    uint32_t count;
};

/* The PERM_ bits that a connection has. generation: of the node the list stands in. */
unsigned perm_of(const struct conn *c, const struct perm *p, uint32_t count, uint64_t generation);

static inline unsigned perm_of_node(const struct conn *c, const struct node *n)
{
    return perm_of(c, n->perms, n->nperms, n->generation);
}

/* Marks the entries of domains that became known later than the list was written: they mean others.
 */
void perm_mark_stale(struct perm *p, uint32_t count, uint64_t generation);

/* "r5": one entry. Reads count NUL-terminated entries; 0 or -EINVAL. */
int perm_parse(struct perm *out, uint32_t count, const char *strings);

/* Appends the protocol's form of a list, each entry with its NUL. */
void perm_format(struct buf *out, const struct perm *p, uint32_t count);

/*
 * Makes every domain named in a list known, and marks entries of domains that do not exist.
 */
void perm_adopt_domains(struct perm *p, uint32_t count);

/* --- the special watches: "@introduceDomain" and "@releaseDomain" ---------------------------- */

/* Nobody but Domain 0, until set otherwise. */
void perm_special_init(void);

/* The list of a special path, or NULL for a name that is none. */
const struct perms *perm_special(const char *name, size_t len);

/* Replaces it (copies). 0, -EINVAL for an unknown name. */
int perm_special_set(const char *name, const struct perm *p, uint32_t count);

/* A domain has gone: it loses its entries, its ownership falls to the privileged domain. */
void perm_special_forget(uint32_t domid);

#endif
