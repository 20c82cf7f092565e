/*
 * Frames that a test sends: to everyone, from any MAC, about any address, forged or not.
 */
#ifndef TESTS_NETWORK_FRAME_H
#define TESTS_NETWORK_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct frame {
    uint8_t byte[200];
    size_t size;
};

/* A header and nothing behind it. */
struct frame frame_ethernet(const char *from, uint16_t type);
/* An ARP answer with these addresses inside. */
struct frame frame_arp(const char *from, const char *sender_mac, const char *sender);
struct frame frame_udp4(const char *from, const char *source, uint16_t sport, uint16_t dport);
/* A UDP packet behind a VLAN tag. */
struct frame frame_tagged(const char *from, const char *source);
/* ICMPv6: a type, and for neighbour discovery a target and one option (a MAC; NULL: none). */
struct frame frame_icmp6(const char *from, const char *source, uint8_t type, const char *target,
                         uint8_t option, const char *mac);

#endif
