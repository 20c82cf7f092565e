/*
 * Live update: replacing the running program by another one, sockets and rings and all.
 *
 * The commands are those of xenstore-control: "-f FILE" names the program, "-c ARGUMENTS" its
 * command line, "-s" starts. The state is written with the sockets in it, the descriptors stay open
 * over the exec, and the new program goes on where the old one stopped: a client notices nothing
 * but that a transaction that was open will end in EAGAIN.
 */
#ifndef XENSTORED_LIVEUPDATE_H
#define XENSTORED_LIVEUPDATE_H

#include "xenstored/wire.h"

/* Remembers how this program was started. */
void liveupdate_init(char **argv);

/* "live-update" with its parameters. 0 or -errno, as every handler. */
int liveupdate_control(struct request *r, char *args[], unsigned count);

/* At the end of a turn: does it, if asked to. Does not return if that works. */
void liveupdate_run(void);

#endif
