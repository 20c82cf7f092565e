/*
 * The event loop: the main thread, which watches the store and waits for signals.
 *
 * It reacts to domains that end (@releaseDomain) by starting workers, and never waits for a guest,
 * a backend or a client itself.
 */
#ifndef XEND_LOOP_H
#define XEND_LOOP_H

#include "xend/lib/error.h"

/* Block the signals that end the process; before any thread is started. */
void loop_block_signals(void);
/* Run until SIGTERM or SIGINT. 0 or -errno (no store). */
int loop_run(struct error *err);

#endif
