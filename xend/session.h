/*
 * Sessions: one thread's connections to the hypervisor and to the store.
 *
 * Handles of libxenctrl and of the store client are for one thread at a time. A thread that has
 * work takes a session, does it, and gives the session back for the next thread. Connections are
 * kept open between uses, a few of them; one where nothing goes on.
 */
#ifndef XEND_SESSION_H
#define XEND_SESSION_H

#include "xend/lib/error.h"

#include "libxenctrl/include/xenctrl.h"
#include "xenstored/client/xsclient.h"

struct session {
    struct xc_handle *xc;
    struct xsc *xs;
    struct session *next; /* in the pool */
};

/* 0, or -errno with the sentence (no hypervisor, no xenstored). */
int session_get(struct session **out, struct error *err);
/* NULL is fine. Open transactions and watches of the session must have ended. */
void session_put(struct session *s);
/* Close what nobody has needed since the last call, but for one. From time to time; any thread. */
void session_trim(void);
/* Close what is pooled: at the end of the process. */
void session_drain(void);

void session_cleanup(struct session **slot);
#define auto_session __attribute__((cleanup(session_cleanup))) struct session *

#endif
