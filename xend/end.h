/*
 * What domains do by themselves: shut down, reboot, crash, vanish; and what then happens.
 *
 * The event loop calls end_scan() when the store says that some domain ended. Each end is handled
 * by a thread of its own, because taking a domain down waits for backends.
 */
#ifndef XEND_END_H
#define XEND_END_H

#include "xend/domain.h"

/* Look at all domains that should be running and start a worker for each that is not. */
void end_scan(struct session *s);

/* Run fn(d) in a thread of its own, with a reference that fn gives back. */
void worker_start(struct domain *d, void (*fn)(struct domain *d));

#endif
