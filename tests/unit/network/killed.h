/*
 * A way to stop and kill a network program at any point of a transaction, for bridge_mode.py and
 * host_modes.py. Variables of the environment:
 *
 *   STOP_AT=N     stop (SIGSTOP) at every point from number N on: the test looks, and continues it
 *   DIE_AT=N      SIGKILL at point number N
 *   DOG_DIES=FILE the watchdog that finds this file at its DOG_DIES_AT-th point removes it and dies
 */
#ifndef TESTS_NETWORK_KILLED_H
#define TESTS_NETWORK_KILLED_H

/* Do what the environment says. Once, at the program's start. */
void killed_prepare(void);

#endif
