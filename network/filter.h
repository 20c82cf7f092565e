/*
 * What a guest's card may not send: anti-spoofing rules on the interface in Domain 0.
 *
 * The rules are a chain of the netfilter hook "ingress" of the card's own interface, in the table
 * "netdev hospes". There they see every frame of the guest, before any bridge, route or other rule
 * does, in every network mode, at a cost that does not grow with the number of guests; and kernels
 * before 6.16 remove the chain with the interface even if nobody asks.
 */
#ifndef NETWORK_FILTER_H
#define NETWORK_FILTER_H

#include "xend/lib/error.h"
#include "xend/lib/vif.h"

struct filter {
    const char *ifname;           /* the interface as it is called now; also the chain's name */
    const char *mac;              /* of the guest's card, "00:16:3e:01:02:03" */
    unsigned guards;              /* VIF_GUARD_..., not 0 */
    const struct vif_addr *addrs; /* with VIF_GUARD_IP: what the guest may use, besides the IPv6 */
    size_t nr_addrs;              /* link-local address that belongs to its MAC */
};

/* The rules as commands for nft, replacing those that are there. The caller frees it. */
char *filter_text(const struct filter *filter);

/* Put the rules in force, in place of those that are. 0 or -errno with the sentence. */
int filter_set(const struct filter *filter, struct error *err);

/* Remove the interface's rules; that there are none is fine. */
void filter_remove(const char *ifname);

/* Remove the rules of interfaces that are no longer there: what a killed xend left. */
void filter_sweep(void);

#endif
