/*
 * A domain's nodes in the store, apart from its devices.
 *
 * The paths and their permissions are a contract with Linux's xenbus, with xenconsoled and with
 * other tools that look there (xenstore-ls, xl list): <xen/io/...> and Xen's "xenstore-paths".
 */
#ifndef XEND_TREE_H
#define XEND_TREE_H

#include "xend/domain.h"

/*
 * Write /local/domain/N and /vm/UUID for a domain that was just built, in one transaction.
 * 0 or -errno with the sentence.
 */
int tree_write(struct session *s, const struct domain *d, const struct xc_build_result *built,
               struct error *err);

/* Remove both, and what backends in Domain 0 have left. Missing nodes are fine. */
void tree_remove(struct session *s, int domid, const char *uuid);

/*
 * Write a node below /local/domain/N, if that is there: a domain can end while it is spoken to, and
 * nothing must be left of it. 0 or -errno; -ENOENT: it is gone.
 */
int tree_change(struct session *s, int domid, const char *name, const char *value);

/* Change the name in the two places where it stands. 0 or -errno */
int tree_rename(struct session *s, const struct domain *d, const char *name, struct error *err);

/* Owner `owner`, everybody else nothing, and `reader` may read. */
int tree_perms(struct xsc *xs, uint32_t tx, const char *path, int owner, int reader);

/* Does /local/domain/N belong to the domain with this UUID? */
bool tree_is_of(struct session *s, int domid, const char *uuid);

#endif
