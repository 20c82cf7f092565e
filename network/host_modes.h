/*
 * The host's side of route and NAT mode: network-route and network-nat of host.h, without programs
 * of their own. What they do cannot cut Domain 0 off, so there is no probe; it is shown as a plan,
 * may be repeated, and is taken back whole by stop.
 */
#ifndef NETWORK_HOST_MODES_H
#define NETWORK_HOST_MODES_H

#include "network/plan.h"
#include "network/process.h"

struct host_mode {
    const char *script; /* "network-route" */
    /* What start or stop would do now; no steps: it is so already. 0 or -errno */
    int (*plan)(struct netlink *nl, bool start, struct plan *plan, struct error *err);
    /* verb: "start", "stop", "status". said gets a sentence. 0 or -errno */
    int (*run)(const char *verb, char said[PROCESS_SAID], struct error *err);
};

/* NULL: the script is none of these. */
const struct host_mode *host_mode(const char *script);

#endif
