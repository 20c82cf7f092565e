/*
 * The host's side of a network mode, as xend and xm ask for it: what classic xend called its
 * network-script.
 *
 * A script is a name and words: "network-bridge netdev=eth0 bridge=xenbr0". network-bridge is our
 * own program (bridge_mode.h, transaction.h), run as a process of its own, so that it lives on
 * whatever happens to xend. So are network-route, which turns IP forwarding on, and network-nat,
 * which makes virbr0 (host_modes.h); both are also done with the first card that needs it.
 * network-dummy does nothing. Every other name is a program in /etc/xen/scripts, run with "start"
 * or "stop" and its words. Several scripts are separated by semicolons.
 */
#ifndef NETWORK_HOST_H
#define NETWORK_HOST_H

#include "network/process.h"
#include "xend/lib/error.h"
#include "xend/lib/value.h"

#include <stdbool.h>

/* The folder of journals, and the scripts of xend's settings (or NULL). Before any thread exists.
 */
void host_configure(const char *state_dir, const char *scripts);

/*
 * When xend starts: roll back what a killed program left, then start the configured scripts. What
 * fails is logged, and the rest goes on: Domain 0 without guests' network is better than none.
 */
void host_start(void);

/*
 * What starting or stopping would do: {title, asked, steps: [{number, text, details: [...]}], ...}.
 * script: NULL or "" for the first configured one, or network-bridge if there is none; words alone
 * are those of network-bridge. The caller frees *plan. 0 or -errno
 */
int host_plan(const char *script, bool start, struct value **plan, struct error *err);

/*
 * Do it: verb is "start", "stop" or "status". said gets the last line that the program printed.
 * With no script, all configured ones. 0 or -errno with the sentence of what failed.
 */
int host_run(const char *script, const char *verb, char said[PROCESS_SAID], struct error *err);

#endif
