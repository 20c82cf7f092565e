/*
 * NAT mode: guests on a bridge of their own (virbr0), with addresses from Domain 0's DHCP server,
 * reach the world under Domain 0's address; the world reaches the ports that are forwarded.
 *
 * Every card has one address, from ip= or chosen from its MAC, so that it stays the same from start
 * to start. nat.c knows the cards, nat_host.c makes the bridge, its rules and its server. Read
 * card.h first. All functions may be called from any thread.
 */
#ifndef NETWORK_NAT_H
#define NETWORK_NAT_H

#include "network/address.h"
#include "network/card.h"

/*
 * Which bridge and networks; NULL: virbr0, 192.168.122.1/24, no IPv6. network6 has 64 bits: guests
 * choose their own addresses in it, from their MACs. Before any thread. 0 or -EINVAL
 */
int nat_configure(const char *bridge, const char *network, const char *network6, struct error *err);
const char *nat_bridge(void);
/* Domain 0's address in it, with the network's prefix. */
const struct address *nat_network(void);
/* The same for IPv6; NULL: NAT mode has no IPv6. */
const struct address *nat_network6(void);

/* dnsmasq is there, the network and the forwarded ports are free. 0 or -errno with the sentence. */
int nat_check(const struct net_card *card, struct error *err);

/*
 * Make the network if it is not there, choose an address (card->address unless it is ""), forward
 * the ports, guard the interface and put it on the bridge. 0 or -errno
 */
int nat_online(struct net_card *card, struct error *err);

/* Give the address and the ports back; the network stays. */
void nat_offline(const struct net_card *card);

/* A card that is online since before this process: remember its address. Then nat_ready(). */
void nat_adopt(const struct net_card *card);
/* All have been adopted: rules and server are made to agree with them. */
void nat_ready(void);

/* Make the network before the first card asks for it. 0 or -errno */
int nat_start(struct error *err);
/* Remove the network and all that belongs to it. -EBUSY: cards are on it. */
int nat_stop(struct error *err);

/*
 * The host's side (nat_host.c). Up: bridge, address, rules, forwarding and server, by the program
 * network-nat unless all of it is there. Down: everything that up made; what is not there is fine.
 * Each is done whole or not at all. 0 or -errno
 */
int nat_host_check(struct error *err);
int nat_host_up(struct error *err);
int nat_host_down(struct error *err);

#endif
