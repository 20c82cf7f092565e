/*
 * Being a daemon: going into the background, the pid file, the supervisor.
 */
#ifndef XENSTORED_PROCESS_H
#define XENSTORED_PROCESS_H

#include <stdbool.h>

/*
 * Goes into the background. The caller's parent process stays until process_ready, so that whoever
 * started the daemon knows that it answers; it exits with 1 if the daemon ends before that.
 */
void process_daemonize(void);
void process_ready(bool daemonized);

/* Writes the pid file and holds a lock on it; ends the process quietly if another one does. */
void process_pidfile(const char *path);

/*
 * Makes this process the supervisor of the one that goes on: it waits, and starts another one when
 * that has been killed. Returns in the child (again and again, a new one each time). daemonized:
 * nobody reads its standard error.
 */
void process_supervise(bool daemonized);

#endif
