/*
 * Bridge mode of the host: the machine's interface goes on a bridge, Domain 0 keeps its network.
 *
 * As the seed has it, in its order: the bridge xenbr0 is made; eth0 is taken down; its MAC and IP
 * address are copied to veth0; eth0 is renamed to peth0, and veth0 to eth0; peth0 gets the MAC
 * fe:ff:ff:ff:ff:ff and no ARP; peth0 and vif0.0 (veth0's other end) are put on the bridge; all
 * three are brought up. Where the kernel has no veth0 and vif0.0 of its own (netloop), a pair of
 * virtual Ethernet interfaces plays them. Domain 0 keeps addresses, routes, settings and
 * connections, because all that it sees of the network is the interface called eth0.
 *
 * Plans are computed from what the kernel shows, and from nothing else: starting twice gives an
 * empty plan, and stopping needs no memory of the start. What was made here carries a note (the
 * link's alias), so that stopping deletes nothing of others. Read first: plan.h.
 */
#ifndef NETWORK_BRIDGE_MODE_H
#define NETWORK_BRIDGE_MODE_H

#include "network/plan.h"

/* What the administrator says; NULL and -1: let it be found. */
struct bridge_options {
    const char *netdev; /* the interface; else the one of the default route */
    const char *bridge; /* else xenbrN */
    const char *probe;  /* an address that must answer a ping afterwards */
    int vifnum;         /* N; else that of ethN, or the first that is free */
    bool force;         /* stop although guests are on the bridge: they lose the network */
};

/* How things stand. */
enum bridge_state {
    BRIDGE_OFF,   /* the interface is on its own */
    BRIDGE_ON,    /* taken over as above */
    BRIDGE_OTHERS /* it is, or is on, a bridge that somebody else made: used as it is */
};

/* The names of all that takes part. */
struct bridge_names {
    char netdev[IFNAMSIZ]; /* eth0 */
    char pdev[IFNAMSIZ];   /* peth0 */
    char vdev[IFNAMSIZ];   /* veth0 */
    char vif[IFNAMSIZ];    /* vif0.0 */
    char bridge[IFNAMSIZ]; /* xenbr0 */
};

/*
 * Compute what start (or stop) would do. The plan is empty if it is so already. *names and *state
 * may be NULL. 0 or -errno with the sentence: no such interface, no free name, something stands on
 * it that cannot be moved...
 */
int bridge_plan(struct netlink *nl, const struct bridge_options *options, bool start,
                struct plan *plan, struct bridge_names *names, enum bridge_state *state,
                struct error *err);

#endif
