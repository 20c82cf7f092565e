/*
 * Route mode, the guest's side: Domain 0 is the guest's router, and the guest's neighbours do not
 * notice.
 *
 * The card's interface gets Domain 0's own address (with the full prefix) and answers ARP for
 * everything; a static route for each address in ip= leads to it; and on the interface whose
 * network an address is in, Domain 0 answers for it (proxy entries). For IPv6 the guest's router is
 * fe80::fcff:ffff:feff:ffff. Domain 0 begins to forward with the first card and ends with
 * network-route's stop (host_modes.h). Read card.h first.
 */
#ifndef NETWORK_ROUTE_H
#define NETWORK_ROUTE_H

#include "network/address.h"
#include "network/card.h"

/* ip= is there, Domain 0 has an address. 0 or -errno with the sentence. */
int route_check(const struct net_card *card, struct error *err);

/* Name, guard and address the card's interface, bring it up, add the routes. 0 or -errno */
int route_online(struct net_card *card, struct error *err);

/* Remove routes, proxy entries and guards; the interface may be gone already. */
void route_offline(const struct net_card *card);

/*
 * The address of Domain 0 that a guest's address has to do with, and the interface that has it: the
 * one whose network it is in, else the default route's, else the first. `guest` may have only its
 * family set. 0, or -EADDRNOTAVAIL without a sentence.
 */
int route_uplink(struct netlink *nl, const struct address *guest, struct link_address *uplink);

#endif
