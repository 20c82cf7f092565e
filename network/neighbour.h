/*
 * Proxy entries: addresses for which an interface answers ARP (IPv4) or neighbour solicitations
 * (IPv6) although they are somewhere else. Read netlink.h first.
 */
#ifndef NETWORK_NEIGHBOUR_H
#define NETWORK_NEIGHBOUR_H

#include "network/address.h"

/* There already is fine. For IPv6 the interface also needs the setting proxy_ndp. 0 or -errno */
int neighbour_proxy_add(struct netlink *nl, int link, const struct address *a, struct error *err);

/* Remove the entries for one address on all interfaces; that there are none is fine. */
void neighbour_proxy_remove(struct netlink *nl, const struct address *a);

#endif
