/*
 * Moving bytes: sockets (socket.c) and rings (ring.c).
 */
#ifndef XENSTORED_TRANSPORT_H
#define XENSTORED_TRANSPORT_H

#include "xenstored/connection.h"

/* Sends what it can of a connection's queue, without waiting. */
void transport_send(struct conn *c);

/* --- sockets --------------------------------------------------------------------------------- */

/* Makes the listening socket, or takes over an inherited one (fd >= 0). 0 or -errno. */
int socket_listen(const char *path, int inherited_fd);
int socket_listen_fd(void);
void socket_accept(void);
struct conn *socket_adopt(int fd);

/* Something happened on a socket: epoll's events. */
void socket_event(struct conn *c, uint32_t events);
void socket_send(struct conn *c);

/* --- rings ----------------------------------------------------------------------------------- */

/* A ring wants to be looked at (an event came, or it may have been waiting). */
void ring_mark_ready(struct conn *c);

/* Looks at the rings that are ready, some requests each. True if there is more to do at once. */
bool ring_run(void);

/*
 * Timers: drops overdue events, wakes throttled rings. Returns in how many milliseconds to call
 * again, -1: no need.
 */
int ring_timers(uint64_t now);
void ring_send(struct conn *c);

/* --- both: the parser of the stream ---------------------------------------------------------- */

/* The bytes still missing for one complete message at the head of c->in; 0: it is complete. */
size_t stream_missing(const struct conn *c, bool *bad);

#endif
