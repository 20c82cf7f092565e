/*
 * xsclient: a small client of the xenstore protocol.
 *
 * Purpose:    lets a daemon or a tool read, write and watch the store, over xenstored's UNIX socket
 * or, where that is absent (driver domain, store domain), over the kernel's /dev/xen/xenbus.
 * Linking:    build/libxsclient.a, no other library; no threads, no signals, no global state.
 * Threads:    a handle may be used by one thread at a time. Different handles are independent.
 * Errors:     every function that can fail returns 0 (or a count, where said) or -errno. Errors of
 * the store are the store's own: -ENOENT, -EACCES, -EEXIST, -EINVAL, -ENOSPC, -E2BIG, -EAGAIN (a
 * transaction that met a conflict), ... A lost connection is -ECONNRESET. Restarts:   xenstored may
 * be killed and restarted. A handle reconnects by itself (see xsc_set_retry), registers its watches
 * again (each of which then fires once, as a new watch does) and repeats the request that was under
 * way. A transaction that was open is gone: its requests and its end then return -EAGAIN, as a
 * conflict does, so a caller that loops on -EAGAIN (or uses xsc_transact) needs nothing special.
 * Paths:      absolute ("/local/domain/3/name") or relative to the caller's domain ("device/vif").
 * Memory:     what a function returns through a pointer is malloced and the caller's to free().
 *
 * A typical reader:
 *
 *     struct xsc *xs;
 *     int rc = xsc_open(&xs, NULL);
 *     char *name;
 *     rc = xsc_readf(xs, XSC_NO_TX, &name, "/local/domain/%u/name", domid);
 *
 * and an event loop: poll xsc_fd() for POLLIN, then
 *
 *     struct xsc_event *ev;
 *     while (xsc_next_event(xs, &ev) == 0) { handle(ev->path, ev->token); free(ev); }
 */
#ifndef HOSPES_XSCLIENT_H
#define HOSPES_XSCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xsc;

/* The transaction id that means "none". */
#define XSC_NO_TX 0u

/* What a domain may do with a node. The values are the protocol's. */
enum xsc_access { XSC_NONE = 0, XSC_READ = 1, XSC_WRITE = 2, XSC_READ_WRITE = 3 };

/*
 * One entry of a permission list. The first entry of a list names the node's owner (who may always
 * do everything), its access is that of every domain not listed; the following entries are
 * exceptions.
 */
struct xsc_perm {
    uint16_t domid;
    uint8_t access; /* enum xsc_access */
};

/* A watch that fired: the path that changed (or "@introduceDomain", ...) and the watch's token. */
struct xsc_event {
    const char *path;
    const char *token;
};

/* --- connection ------------------------------------------------------------------------------ */

/*
 * Connects. With path NULL the places are tried in this order: $XENSTORED_PATH,
 * $XENSTORED_RUNDIR/socket, /run/xenstored/socket, /var/run/xenstored/socket, /dev/xen/xenbus.
 * A path that names a character device is spoken to as the kernel's xenbus.
 * Returns -ENOENT or -ECONNREFUSED when no store answers.
 */
int xsc_open(struct xsc **out, const char *path);

/* Closes; NULL is fine. The server forgets the handle's watches and open transactions. */
void xsc_close(struct xsc *xs);

/*
 * How long, in milliseconds, a request waits for a store that went away to come back before it
 * returns -ECONNRESET. 0: never reconnect. The default is 10000.
 */
void xsc_set_retry(struct xsc *xs, unsigned milliseconds);

/*
 * The descriptor to poll for POLLIN. It can change after a reconnect, so ask again before each
 * poll. An event that is already buffered does not make it readable: drain with xsc_next_event
 * first, and after any other call on the handle too.
 */
int xsc_fd(const struct xsc *xs);

/* The path of the socket or device in use, for messages. Valid until the handle is closed. */
const char *xsc_path(const struct xsc *xs);

/* --- nodes ----------------------------------------------------------------------------------- */

/*
 * Reads a node's value. *value gets it with a NUL appended; *len (may be NULL) its length without
 * that NUL (a value may contain NULs). On error *value is NULL.
 */
int xsc_read(struct xsc *xs, uint32_t tx, const char *path, char **value, size_t *len);

/* The same with a formatted path. */
int xsc_readf(struct xsc *xs, uint32_t tx, char **value, const char *pathfmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Reads a node as an unsigned number, decimal or 0x-prefixed. -ENOENT if there is no node, -EINVAL
 * if its value is not a number or does not fit.
 */
int xsc_read_u64(struct xsc *xs, uint32_t tx, uint64_t *value, const char *pathfmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Writes a node's value, creating it and its missing parents. */
int xsc_write(struct xsc *xs, uint32_t tx, const char *path, const void *value, size_t len);

/* Writes a string (without its NUL). */
int xsc_write_str(struct xsc *xs, uint32_t tx, const char *path, const char *value);

/* Writes a formatted string. */
int xsc_writef(struct xsc *xs, uint32_t tx, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Creates a node with an empty value; a node that exists is left alone (0). */
int xsc_mkdir(struct xsc *xs, uint32_t tx, const char *path);

/* Removes a node and everything below. 0 if only the node itself was missing, as the protocol has
 * it. */
int xsc_rm(struct xsc *xs, uint32_t tx, const char *path);

/*
 * Lists the names of a node's children. *names is one malloced block: an array of *count strings
 * (and a terminating NULL). Lists too long for one message are fetched in parts. On error *names is
 * NULL.
 */
int xsc_directory(struct xsc *xs, uint32_t tx, const char *path, char ***names, size_t *count);

/* True if the node exists and can be read. */
bool xsc_exists(struct xsc *xs, uint32_t tx, const char *path);

/* --- permissions ----------------------------------------------------------------------------- */

/* Reads a node's permission list into a malloced array of *count entries. */
int xsc_get_perms(struct xsc *xs, uint32_t tx, const char *path, struct xsc_perm **perms,
                  size_t *count);

/* Replaces a node's permission list; perms[0] is the owner. count is 1 to 256. */
int xsc_set_perms(struct xsc *xs, uint32_t tx, const char *path, const struct xsc_perm *perms,
                  size_t count);

/* --- transactions ---------------------------------------------------------------------------- */

/* Starts a transaction; its id is what the functions above take as tx. */
int xsc_tx_start(struct xsc *xs, uint32_t *tx);

/*
 * Ends a transaction: commit true makes its changes visible all at once, false drops them. -EAGAIN:
 * it met a conflict (or xenstored was restarted), nothing was changed, do it all again.
 */
int xsc_tx_end(struct xsc *xs, uint32_t tx, bool commit);

/*
 * From here on the transaction's writes, mkdirs, removals and permissions are not waited for: they
 * return 0 or an error of an earlier one, and xsc_tx_end() returns the first error, with nothing
 * changed, if there was one. For bodies that write much: all of it costs about one round trip.
 * -ENOENT: there is no such transaction.
 */
int xsc_tx_post(struct xsc *xs, uint32_t tx);

/*
 * Runs body in a transaction and commits, again and again while that ends in -EAGAIN. A negative
 * return of body other than -EAGAIN drops the transaction and is returned.
 */
int xsc_transact(struct xsc *xs, int (*body)(struct xsc *xs, uint32_t tx, void *arg), void *arg);

/* --- watches --------------------------------------------------------------------------------- */

/*
 * Watches a node and everything below, or a special path ("@introduceDomain", "@releaseDomain").
 * The watch fires once at once. -EEXIST if this path and token are watched already.
 */
int xsc_watch(struct xsc *xs, const char *path, const char *token);

/*
 * The same down to depth levels only (0: the node itself). -ENOSYS or -EINVAL from a store that
 * does not know depths.
 */
int xsc_watch_depth(struct xsc *xs, const char *path, const char *token, unsigned depth);

/* Ends a watch. Events of it that are already buffered are dropped. */
int xsc_unwatch(struct xsc *xs, const char *path, const char *token);

/*
 * Takes the next event without waiting. -EAGAIN: none. *event is one malloced block: free(event).
 * Also notices a lost connection and reconnects (then watches fire again); -ECONNRESET: it could
 * not.
 */
int xsc_next_event(struct xsc *xs, struct xsc_event **event);

/* Waits for the next event at most timeout_ms (-1: for ever). -ETIMEDOUT: none came. */
int xsc_wait_event(struct xsc *xs, struct xsc_event **event, int timeout_ms);

/*
 * Waits until test returns non-zero, which is then returned; it is called at first and after each
 * event under path. For "until this node has that value". -ETIMEDOUT as above. Events of other
 * watches of the handle stay queued.
 */
int xsc_wait_until(struct xsc *xs, const char *path, int (*test)(struct xsc *xs, void *arg),
                   void *arg, int timeout_ms);

/* --- domains --------------------------------------------------------------------------------- */

/* Tells the store of a new domain: frame of its store page and event channel port. Fires watches.
 */
int xsc_introduce(struct xsc *xs, unsigned domid, uint64_t gfn, uint32_t port);

/* Takes a domain out of the store's list of connections. Fires @releaseDomain. */
int xsc_release(struct xsc *xs, unsigned domid);

/* Clears a domain's shutdown mark after a cancelled suspend. */
int xsc_resume(struct xsc *xs, unsigned domid);

/* Gives domid (a device model's domain) the rights of target. */
int xsc_set_target(struct xsc *xs, unsigned domid, unsigned target);

/* 1 if the domain is introduced, 0 if not, or -errno. */
int xsc_is_introduced(struct xsc *xs, unsigned domid);

/* The domain's home, "/local/domain/N", from the store. */
int xsc_domain_path(struct xsc *xs, unsigned domid, char **path);

/* --- control --------------------------------------------------------------------------------- */

/*
 * Sends an XS_CONTROL command of count words ("quota", "set", "nodes", "2000"); *answer (may be
 * NULL) gets the reply's text.
 */
int xsc_control(struct xsc *xs, const char *const *words, size_t count, char **answer);

#endif
