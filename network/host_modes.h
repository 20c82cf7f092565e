/*
 * The host's side of route and NAT mode: network-route and network-nat of host.h.
 *
 * Both are plans, and are done as transactions by programs of these names (program/network_host.c)
 * with a journal, a watchdog and a probe, as bridge mode is by network-bridge. Their journal is not
 * bridge mode's: each program rolls back what its like has left, and xend both.
 */
#ifndef NETWORK_HOST_MODES_H
#define NETWORK_HOST_MODES_H

#include "network/plan.h"
#include "network/process.h"

struct host_mode {
    const char *script; /* "network-route" */
    /* What start or stop would do now, without a probe; no steps: it is so already. 0 or -errno */
    int (*plan)(struct netlink *nl, bool start, struct plan *plan, struct error *err);
    /* In xend. verb: "start", "stop", "status". said gets a sentence. 0 or -errno */
    int (*run)(const char *verb, char said[PROCESS_SAID], struct error *err);
    /* A sentence that says how things stand. */
    void (*status)(struct netlink *nl, char said[PROCESS_SAID]);
};

/* NULL: the script is none of these. */
const struct host_mode *host_mode(const char *script);

/*
 * Where the programs are, their journal, and what they note; NULL for each: /etc/xen/scripts,
 * /var/lib/xend/network/host, /run/hospes. Before any thread exists.
 */
void host_programs(const char *folder, const char *state, const char *run);

/* Run one of the programs with this verb. 0 or -errno with its sentence */
int host_program(const char *script, const char *verb, struct error *err);

/*
 * What must answer after a plan that is not empty: the gateway of the default route, if it answers
 * now, and `extra`, if it is not NULL. Takes about a second if nothing answers. 0 or -errno
 */
int host_probe(struct netlink *nl, struct plan *plan, const char *extra, struct error *err);

#endif
