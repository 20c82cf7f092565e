/*
 * What survives: the log that a killed daemon's successor starts from.
 *
 * The store's contents, the domains and their rings, their watches, open transactions,
 * half-received requests and unsent answers are written as records into a file that is mapped into
 * memory. The kernel owns the pages of the mapping, so a store into it survives the process however
 * it ends; a store is all that logging a change costs. (It is not meant to survive the machine: so
 * did its guests not.)
 *
 * Crash consistency. Records are appended behind the committed end, which is then moved with one
 * store (persist_commit). A successor replays up to that end, so it sees all of a request's
 * effects, its answer and its events, or none of them. What leaves the process (bytes on a ring,
 * the ring's indices) leaves after the commit, and struct persist_io says at every moment how far
 * that has got; so a request is handled exactly once and an answer sent exactly once, wherever the
 * process was killed.
 *
 * Two files take turns: when one has grown, the whole state is written as records into the other,
 * which becomes the valid one by one store of its epoch.
 *
 * Sockets: a client of a killed daemon sees its connection close. Over a live update (liveupdate.c)
 * the sockets live on too: their state is written into the log like a ring's, only then.
 */
#ifndef XENSTORED_PERSIST_H
#define XENSTORED_PERSIST_H

#include "xenstored/connection.h"
#include "xenstored/node.h"
#include "xenstored/path.h"
#include "xenstored/permission.h"

#include <xen/xen.h>

struct watch;

/* How the bytes of rings were moving. One file, mapped; every member is written by single stores.
 */
struct persist_io {
    uint64_t magic;

    /* The request whose consumption was committed last: has its ring's req_cons been moved yet? */
    uint64_t consumed;      /* number of the last committed consumption (in the log too) */
    uint64_t consumed_done; /* that number once req_cons has been moved */

    /* A piece being copied into a response ring. */
    uint32_t sending; /* 1 while the rest of this group is valid */
    uint32_t domid, from, len;
    uint64_t sent_before;

    /* Bytes ever sent to each domain. */
    uint64_t sent[DOMID_FIRST_RESERVED];
};

extern struct persist_io *persist_io;

/*
 * Opens or creates the files in dir (NULL: nothing is persisted) and, if they hold the state of
 * this boot of the machine, loads it. adopt_sockets: this is a live update, descriptors are open
 * already. 1: a state was loaded. 0: starting empty. -errno.
 */
int persist_open(const char *dir, bool adopt_sockets);

/* Lets go of the files, as they are; nothing is persisted from now on. */
void persist_forget(void);

/* Everything logged since the last commit becomes valid. */
void persist_commit(void);

/*
 * Writes the state anew if the log has grown too long. Between turns only: the state must not hold
 * a request whose bytes are still to be taken off its ring.
 */
void persist_maintain(void);

/* Writes the whole state anew now; with sockets for a live update. 0 or -errno. */
int persist_snapshot(bool with_sockets);

/* --- what is logged; each does nothing where nothing is persisted or the connection is a socket */

void persist_node(const struct path *p, const struct node *old, const struct node *n);
void persist_node_gone(const struct path *p);
void persist_special(const char *name, const struct perm *p, uint32_t count);
void persist_quota(void);
void persist_domain(const struct domain *d);
void persist_domain_gone(uint32_t domid);
void persist_watch(const struct watch *w, bool set);
void persist_tx(const struct conn *c, uint32_t id, bool open);

/* Bytes of a request that is not complete yet were taken from the ring. */
void persist_ring_in(const struct conn *c, const void *data, size_t len);

/* req_cons goes from one value to the next; call before the commit. */
void persist_ring_consumed(const struct conn *c, uint32_t from, uint32_t to, bool complete);

void persist_ring_out(const struct conn *c, const void *data, size_t len);
void persist_ring_requeue(const struct conn *c);
void persist_ring_reset(const struct conn *c);
void persist_ring_ignored(const struct conn *c);

#endif
