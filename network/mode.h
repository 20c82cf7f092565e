/*
 * Network modes: what is done with a guest's interface in Domain 0.
 *
 * A card's configuration names a mode by the classic name of its script: "vif-bridge" (or nothing).
 * The modes that are built in run without a shell. A new mode is a row in mode.c: how to check a
 * card before a domain is touched, and what to do once the backend has made the interface.
 */
#ifndef NETWORK_MODE_H
#define NETWORK_MODE_H

#include "xend/lib/error.h"
#include "xend/lib/vif.h"

/* The script that a card names if it names none. */
#define NET_DEFAULT_SCRIPT "vif-bridge"

/* Could this card be brought online? 0 or -errno with the sentence: unknown mode, no bridge. */
int net_check(const struct vif_spec *vif, struct error *err);

/* Bring the card's interface online; ifname is what the backend called it. 0 or -errno */
int net_online(const struct vif_spec *vif, const char *ifname, struct error *err);

/* The bridge of cards that name none, from xend's settings; NULL: net_default_bridge(). */
void net_set_bridge(const char *name);

#endif
