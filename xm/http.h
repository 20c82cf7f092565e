/*
 * As much of an HTTP client as speaking to xend takes: one request for each connection.
 */
#ifndef XM_HTTP_H
#define XM_HTTP_H

#include "xend/lib/error.h"

#include <stdbool.h>
#include <stddef.h>

/* POST body to server; *answer gets the answer's body, which the caller frees. 0 or -errno */
int http_post(const char *server, const char *path, const char *type, const char *body,
              char **answer, size_t *length, struct error *err);

/*
 * GET a stream of lines. on_line gets each without its end, until it returns false, the descriptor
 * stop can be read (-1: none) or the server closes. 0 or -errno
 */
int http_get_lines(const char *server, const char *path, bool (*on_line)(const char *, void *),
                   void *arg, int stop, struct error *err);

#endif
