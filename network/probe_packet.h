/*
 * One question on the wire: ARP, neighbour discovery, ping. Used by probe.c.
 */
#ifndef NETWORK_PROBE_PACKET_H
#define NETWORK_PROBE_PACKET_H

#include "network/address.h"
#include "network/link.h"

/*
 * Ask and wait up to wait_ms. link is the interface to ask on; `from` an address of it of the same
 * family (its family is 0 if it has none). False: no answer, or it could not be sent.
 */
bool packet_ask(const struct link *link, const struct address *from, const struct address *whom,
                int wait_ms);

/* An ICMP or ICMPv6 echo, by whatever way the routes give. */
bool packet_ping(const struct address *whom, int wait_ms);

#endif
