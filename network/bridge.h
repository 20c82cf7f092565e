/*
 * Bridge mode, the guest's side: a card's interface becomes a port of a bridge of Domain 0.
 *
 * How the bridge and the machine's own card come together is the host's side (a plan). Read card.h
 * first. Every call opens its own netlink socket, so any thread may call.
 */
#ifndef NETWORK_BRIDGE_H
#define NETWORK_BRIDGE_H

#include "network/card.h"

/*
 * The bridge of cards that name none (NULL: bridge_default()), and antispoof= of those that say
 * nothing (NULL: off). Before any thread exists. 0 or -EINVAL
 */
int bridge_configure(const char *name, const char *antispoof, struct error *err);

/*
 * The bridge for a card that names none: "xenbr0" if it is there, else the only one there is, NAT
 * mode's aside. The caller frees it. 0 or -errno with the sentence.
 */
int bridge_default(char **name, struct error *err);

/* Could the card be put on its bridge? 0 or -errno with the sentence: there is none, it is none. */
int bridge_check(const struct net_card *card, struct error *err);

/* Name the card's interface, guard it, put it on its bridge and bring it up. 0 or -errno */
int bridge_online(struct net_card *card, struct error *err);

/* Forget the interface: it may be gone already. */
void bridge_offline(const struct net_card *card);

#endif
