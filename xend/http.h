/*
 * The HTTP server: who may speak, and which path is what. Through libmicrohttpd.
 *
 *     POST /RPC2     XML-RPC        POST /json     JSON-RPC 2.0
 *     GET /events    Server-Sent Events (?since=ID goes on after an event, ?domain=NAME filters)
 *     GET /metrics   numbers about domains and the machine, in Prometheus' text form
 *
 * On the UNIX socket, which only root can open, nobody is asked for a secret. On TCP every request
 * must carry the secret of tcp_token_file, as a bearer token or as the password of basic
 * authentication.
 */
#ifndef XEND_HTTP_H
#define XEND_HTTP_H

#include "xend/lib/error.h"

#define HTTP_BODY_MAX (4 << 20)

/* Open the sockets and serve, each connection in a thread of its own. 0 or -errno */
int http_start(struct error *err);
/* Stop taking connections. Running requests go on until the process ends. */
void http_stop(void);

#endif
