/*
 * What happens, for whoever wants to follow it: the stream that clients of the API read.
 *
 * An event is a dictionary with "id" (grows by one), "time" (seconds since 1970), "type"
 * ("domain.started", "progress", ...) and what the type adds. The last EVENTS_KEPT are kept, so
 * that a client that reconnects with the last id it saw misses nothing in between.
 */
#ifndef XEND_EVENTS_H
#define XEND_EVENTS_H

#include "xend/lib/value.h"

#include <stdint.h>

#define EVENTS_KEPT 512

/* Send an event; takes over details, a dictionary or NULL. From any thread. */
void event_emit(const char *type, struct value *details);
/* The usual event about a domain: with its name, uuid and domid (-1: none). */
void event_domain(const char *type, const char *name, const char *uuid, int domid);

/*
 * The JSON text of the first event after *last, which is then set to its id. Waits at most
 * milliseconds; NULL: nothing came, or the process ends. The caller frees it.
 */
char *event_next(uint64_t *last, unsigned milliseconds);
/* The id of the newest event so far. */
uint64_t event_newest(void);
/* Wake all waiters for good: the process ends. */
void events_stop(void);

#endif
