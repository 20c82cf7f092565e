/*
 * Network interfaces of Domain 0 through netlink: what a guest's card needs to be on a bridge.
 *
 * No shell and no bridge-utils. Every call opens its own netlink socket, so any thread may call.
 * What a card's configuration asks for is decided in mode.c.
 */
#ifndef NETWORK_BRIDGE_H
#define NETWORK_BRIDGE_H

#include "xend/lib/error.h"

#include <stdbool.h>

/* What a guest's interface in Domain 0 shall become. */
struct net_attach {
    const char *ifname; /* as the backend named it: "vif3.0" */
    const char *rename; /* or NULL */
    const char *bridge; /* or NULL: on no bridge */
};

/*
 * Rename, put on the bridge (with the MAC fe:ff:ff:ff:ff:ff, which no bridge takes for its own, and
 * without ARP and addresses of its own), and bring up. 0 or -errno with the sentence: no such
 * bridge, not a bridge, no such interface.
 */
int net_attach(const struct net_attach *what, struct error *err);

/*
 * The bridge for a card that names none: "xenbr0" if it is there, else the only bridge there is.
 * The caller frees it. 0 or -errno with the sentence.
 */
int net_default_bridge(char **name, struct error *err);

/* Is there a bridge of that name? 0, or -errno with the sentence. */
int net_check_bridge(const char *name, struct error *err);

#endif
