/*
 * A guest's card as Domain 0 sees it: the interface that its backend has made. What all network
 * modes have in common; a mode is bridge.h, route.h or nat.h, and mode.h chooses one.
 */
#ifndef NETWORK_CARD_H
#define NETWORK_CARD_H

#include "network/link.h"
#include "network/names.h"
#include "xend/lib/error.h"
#include "xend/lib/vif.h"

struct net_card {
    int domid;                   /* -1: the domain does not run yet */
    unsigned id;                 /* the card's number in its domain */
    const char *domain;          /* the domain's name */
    const struct vif_spec *vif;  /* as it was configured; mac is set */
    char address[VIF_ADDR_TEXT]; /* chosen by NAT mode, otherwise "" */
};

/* The name that its interface has or will have. 0 or -EINVAL */
int card_name(const struct net_card *card, char name[IFNAMSIZ], struct error *err);

/*
 * Wait for the interface, give it the MAC that no bridge takes for its own and its name, take it
 * down. A name that is still held by an interface that is going away (a domain that reboots) is
 * waited for. 0 or -errno
 */
int card_appear(struct netlink *nl, const struct net_card *card, struct link *link,
                struct error *err);

/*
 * Put the card's guards in force: antispoof=, or `standard` if it says nothing. addrs: what
 * VIF_GUARD_IP allows; without any it is left out. The interface should be down. 0 or -errno
 */
int card_guard(const struct net_card *card, const char *ifname, unsigned standard,
               const struct vif_addr *addrs, size_t nr_addrs, struct error *err);

/* Remove what card_guard() has put there. */
void card_unguard(const struct net_card *card);

/* Put the interface on a bridge, with its MTU, without addresses of its own, and up. */
int card_to_bridge(struct netlink *nl, const struct link *link, const char *bridge,
                   struct error *err);

/* ip= as a list, which the caller frees. 0 or -EINVAL */
int card_addrs(const struct net_card *card, struct vif_addr **list, size_t *n, struct error *err);

/* Give the interface another name while it runs (it is down for a moment). 0 or -errno */
int card_rename(const char *from, const char *to, struct error *err);

#endif
