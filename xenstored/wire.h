/*
 * Requests: from a message to an answer.
 *
 * wire.c has one row per type of request; the functions behind the rows check the form of the
 * payload, call the store, and answer. Each request is one transaction towards the log: all of its
 * effects, its answer and the events it causes are committed together (persist.h).
 */
#ifndef XENSTORED_WIRE_H
#define XENSTORED_WIRE_H

#include "xenstored/connection.h"
#include "xenstored/path.h"

/* A request being handled. */
struct request {
    struct conn *conn;
    char *data;
    uint32_t len;
};

/* Handles one complete message and queues its answer; does not commit. */
void wire_handle(struct conn *c, const struct xsd_sockmsg *header, char *payload);

const char *wire_type_name(uint32_t type);

/* --- forms of payloads ----------------------------------------------------------------------- */

/* The payload as one string (exactly one NUL, at the end), or NULL. */
const char *request_string(const struct request *r);

/* Finds at most max strings; returns how many NULs the payload has. */
unsigned request_strings(const struct request *r, char *strings[], unsigned max);

/*
 * A path of the request, absolute. The result is valid until the next call. false: there was none.
 */
bool request_path(const struct request *r, const char *given, struct path *out);

static inline void request_ok(const struct request *r, uint32_t type)
{
    conn_reply(r->conn, type, "OK", 3);
}

/* --- handlers: 0 (has answered) or -errno (an error is to be answered) ----------------------- */

int do_control(struct request *r);
int do_watch(struct request *r);
int do_unwatch(struct request *r);
int do_reset_watches(struct request *r);
int do_introduce(struct request *r);
int do_release(struct request *r);
int do_resume(struct request *r);
int do_set_target(struct request *r);
int do_is_introduced(struct request *r);
int do_get_domain_path(struct request *r);

#endif
