/*
 * Speaking to xend: XML-RPC calls and the event stream, over its UNIX socket or localhost TCP.
 */
#ifndef XM_CLIENT_H
#define XM_CLIENT_H

#include "xend/lib/error.h"
#include "xend/lib/value.h"

#include <stdbool.h>

/*
 * Where xend is: a socket's path, or http://:SECRET@127.0.0.1:PORT. NULL: $XEND_SERVER, or the
 * usual socket.
 */
void client_server(const char *server);

/*
 * Call a method; takes over args (a list, or NULL for none). Returns 0 with *result (which may be
 * NULL if the answer is not wanted), or -errno with the sentence: -ECONNREFUSED: xend does not
 * answer; -ESRCH: it knows no such domain; -EREMOTEIO: it refused.
 */
int client_call(const char *method, struct value *args, struct value **result, struct error *err);

/* Arguments as a list: 's' a string, 'i' an int, 'v' a struct value * that is taken over. */
struct value *client_args(const char *types, ...);

/*
 * Follow the events (of one domain, or of all if domain is NULL): each is given to on_event as JSON
 * text, until that returns false or the descriptor stop can be read (-1: none). 0 or -errno
 */
int client_events(const char *domain, bool (*on_event)(const char *json, void *arg), void *arg,
                  int stop, struct error *err);

/*
 * Wait until happened() is true: it is asked at once and whenever something happens in xend. 0;
 * -ETIME: the descriptor stop can be read; or -errno: xend does not answer or has closed the
 * stream.
 */
int client_wait(bool (*happened)(void *arg), void *arg, int stop, struct error *err);

#endif
