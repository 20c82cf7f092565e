/*
 * Network modes: what is done with a guest's interface in Domain 0.
 *
 * A card's configuration names a mode by the classic name of its script: vif-bridge, vif-route or
 * vif-nat, with or without /etc/xen/scripts in front. These are built in and run without a shell.
 * Any other script= is a program that is run as Xen's tools always ran it (script.h). A new mode is
 * a row in mode.c.
 *
 * What xend must tell: net_check() before a domain is touched; net_online() once the backend has
 * made the interface; net_offline() before it forgets the card; net_adopt() for each card that is
 * online when xend starts, and net_ready() after them. Any thread may call.
 */
#ifndef NETWORK_MODE_H
#define NETWORK_MODE_H

#include "network/card.h"
#include "xend/lib/error.h"
#include "xend/lib/vif.h"

/* The mode of cards that name none; "vif-bridge" until it is set. Before any thread exists. */
void net_set_script(const char *script);
const char *net_default_script(void);

/* Could this card be brought online? 0 or -errno with the sentence: unknown mode, no bridge. */
int net_check(const struct net_card *card, struct error *err);

/* Bring the card's interface online; card->address may be filled in. 0 or -errno */
int net_online(struct net_card *card, struct error *err);

/* Undo everything that net_online() did, also half of it, and also if the interface is gone. */
void net_offline(const struct net_card *card);

/* The domain has another name: the interface follows if vifname= asks for it. 0 or -errno */
int net_rename(struct net_card *card, const char *domain, struct error *err);

void net_adopt(const struct net_card *card);
void net_ready(void);

#endif
