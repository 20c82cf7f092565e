/*
 * What NAT mode's network is made of, as a plan: the bridge with its address, the packet filter's
 * rules, forwarding, and the server, in this order. Start has a step for each that is missing, stop
 * takes back each that is there, so that neither disturbs what is as it should be.
 *
 * Rules are in the table "inet hospes":
 *
 *     ports          protocol and port of Domain 0 -> address and port of a guest
 *     prerouting     what comes for an address of Domain 0, and is in ports, goes to the guest
 *     output         the same for Domain 0's own programs, but for 127.0.0.1
 *     postrouting    guests speak under Domain 0's address, also to one another through `ports`
 *     forward        nothing else gets in from outside; nothing gets out under a foreign address
 *
 * Read first: nat.h, plan.h.
 */
#ifndef NETWORK_NAT_PLAN_H
#define NETWORK_NAT_PLAN_H

#include "network/plan.h"

/* The note on a bridge of ours: one that somebody else made is used, and stays when we stop. */
#define NAT_NOTE "made by network-nat"

/*
 * The plan of starting or stopping; no steps: it is so already. Nothing is asked on the wire:
 * see host_probe(). 0 or -errno
 */
int nat_plan(struct netlink *nl, bool start, struct plan *plan, struct error *err);

#endif
