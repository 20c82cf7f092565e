/*
 * Whether Domain 0 forwards packets: the host's side of route mode, and a part of NAT mode's.
 *
 * What is changed is written down first, in a file under /run, which forgets it when the machine
 * does; so it is put back exactly, also by another process, once nobody needs it any more. IPv6
 * forwarding would make Domain 0 deaf to router advertisements, from which it may have its own
 * default route: interfaces that listen to them are told to go on.
 */
#ifndef NETWORK_FORWARDING_H
#define NETWORK_FORWARDING_H

#include "xend/lib/error.h"

#include <stdbool.h>

/* Where it is written down; NULL: /run/hospes/forwarding. Before anything else. */
void forwarding_file(const char *path);

/*
 * Forward packets of this family (AF_INET, AF_INET6) from now on, for `user` ("route", "nat").
 * uplink: the interface that shall answer for guests by proxy NDP, or NULL. To ask again is fine.
 * 0 or -errno
 */
int forwarding_need(const char *user, int family, const char *uplink, struct error *err);

/* Would its release put settings back? */
bool forwarding_would_end(const char *user);

/* Has the user asked for it? */
bool forwarding_needed(const char *user);

/*
 * What a plan says of it: "USER", and " ipv6" and then the uplink's name where IPv6 packets are
 * forwarded for anybody. The caller frees it. The same done and taken back: 0 or -errno
 */
char *forwarding_describe(const char *user);
int forwarding_need_described(const char *text, struct error *err);
int forwarding_release_described(const char *text, struct error *err);

/* The user needs it no more; the last one puts everything back as it was. 0 or -errno */
int forwarding_release(const char *user, struct error *err);

#endif
