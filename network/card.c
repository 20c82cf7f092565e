/*
 * Guests' interfaces in Domain 0. Contract: card.h.
 */
#include "network/card.h"

#include "network/filter.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPEAR_MS 10000 /* how long an interface may take to appear */
#define LEAVE_MS  5000  /* how long one that goes away may hold its name */
#define STEP_MS   5

int card_name(const struct net_card *card, char name[IFNAMSIZ], struct error *err)
{
    return name_card(card->vif->vifname, card->domain, card->domid, card->id, name, err);
}

/*
 * netback says that it is ready a moment before its interface is there. An earlier attempt, or a
 * domain that is renamed, has come as far as the new name.
 */
static int await_link(struct netlink *nl, const char *name, const char *renamed, struct link *link,
                      struct error *err)
{
    for (int i = 0; i < APPEAR_MS / STEP_MS; i++) {
        if (link_find(nl, name, link, NULL) == 0) {
            return 0;
        }
        if (i > 0 && strcmp(name, renamed) != 0 && link_find(nl, renamed, link, NULL) == 0 &&
            mac_equal(&link->mac, &MAC_BACKEND)) {
            return 0;
        }
        usleep(STEP_MS * 1000);
    }
    return fail(err, ENODEV, "The backend made no interface %s: is xen-netback loaded?", name);
}

static int give_name(struct netlink *nl, struct link *link, const char *name, struct error *err)
{
    int rc = -EEXIST;

    if (strcmp(link->name, name) == 0) {
        return 0;
    }
    for (int i = 0; rc == -EEXIST && i < LEAVE_MS / STEP_MS; i++) {
        rc = link_rename(nl, link->index, name, err);
        if (rc == -EEXIST) {
            usleep(STEP_MS * 1000);
        }
    }
    if (rc == -EEXIST) {
        return fail(err, EEXIST,
                    "There is an interface %s already: choose another vifname (%%d in it stands "
                    "for the domain's number).",
                    name);
    }
    return rc ? rc : link_get(nl, link->index, link, err);
}

int card_appear(struct netlink *nl, const struct net_card *card, struct link *link,
                struct error *err)
{
    static const struct mac mac = MAC_BACKEND;
    char vif[IFNAMSIZ], name[IFNAMSIZ];
    int rc = card_name(card, name, err);

    if (rc != 0) {
        return rc;
    }
    name_vif(card->domid, card->id, vif);
    rc = await_link(nl, vif, name, link, err);
    rc = rc ? rc : link_set_up(nl, link->index, false, err);
    rc = rc ? rc : link_set_mac(nl, link->index, &mac, err);
    return rc ? rc : give_name(nl, link, name, err);
}

int card_guard(const struct net_card *card, const char *ifname, unsigned standard,
               const struct vif_addr *addrs, size_t nr_addrs, struct error *err)
{
    unsigned guards = standard;
    int rc = card->vif->antispoof ? vif_guards(card->vif->antispoof, &guards, err) : 0;
    struct filter filter = {.ifname = ifname, .mac = card->vif->mac};

    if (rc != 0) {
        return rc;
    }
    filter.guards = nr_addrs > 0 ? guards : guards & ~VIF_GUARD_IP;
    filter.addrs = addrs;
    filter.nr_addrs = nr_addrs;
    if (filter.guards == 0) {
        return 0;
    }
    return filter_set(&filter, err);
}

void card_unguard(const struct net_card *card)
{
    char name[IFNAMSIZ];

    if (card_name(card, name, NULL) == 0) {
        filter_remove(name);
    }
}

int card_to_bridge(struct netlink *nl, const struct link *link, const char *bridge,
                   struct error *err)
{
    auto_str ipv6 = xprintf("ipv6/conf/%s/disable_ipv6", link->name);
    struct link master;
    int rc = link_find(nl, bridge, &master, err);

    sysctl_set(ipv6, "1", NULL); /* where there is IPv6: a port has no address */
    rc = rc ? rc : link_set_arp(nl, link->index, false, err);
    rc = rc ? rc : link_set_flags(nl, link->index, IFF_MULTICAST, 0, err);
    if (rc == 0 && link->mtu != master.mtu && master.mtu != 0) {
        rc = link_set_mtu(nl, link->index, master.mtu, err);
    }
    rc = rc ? rc : link_set_master(nl, link->index, master.index, err);
    return rc ? rc : link_set_up(nl, link->index, true, err);
}

int card_addrs(const struct net_card *card, struct vif_addr **list, size_t *n, struct error *err)
{
    return vif_addrs(card->vif->ip, list, n, err);
}

int card_rename(const char *from, const char *to, struct error *err)
{
    auto_netlink nl = {0};
    struct link link;
    bool up;
    int rc = netlink_open(&nl, err);

    rc = rc ? rc : link_find(&nl, from, &link, err);
    if (rc != 0 || strcmp(from, to) == 0) {
        return rc;
    }
    /* Kernels before 6.2 rename only what is down. */
    up = (link.flags & IFF_UP) != 0;
    rc = link_rename(&nl, link.index, to, err);
    if (rc == -EBUSY && up) {
        rc = link_set_up(&nl, link.index, false, err);
        rc = rc ? rc : link_rename(&nl, link.index, to, err);
        if (link_set_up(&nl, link.index, true, rc ? NULL : err) != 0 && rc == 0) {
            rc = -EIO;
        }
    }
    return rc;
}
