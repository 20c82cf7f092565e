/*
 * Between the files of the HTTP server. Everyone else includes http.h.
 */
#ifndef XEND_HTTP_INTERNAL_H
#define XEND_HTTP_INTERNAL_H

#include "xend/lib/error.h"

#include <microhttpd.h>
#include <stdbool.h>

/* http.c: answer with text, which is taken over. */
enum MHD_Result http_answer(struct MHD_Connection *connection, unsigned status, const char *type,
                            char *text);

/* http_listen.c */
int http_listen_local(int *fd, struct error *err);
int http_listen_tcp(int *fd, struct error *err);
bool http_authorized(struct MHD_Connection *connection);

/* http_stream.c */
enum MHD_Result http_events(struct MHD_Connection *connection);
enum MHD_Result http_metrics(struct MHD_Connection *connection);

#endif
