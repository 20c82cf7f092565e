/*
 * Route mode, the guest's side. Contract: route.h.
 */
#include "network/route.h"

#include "network/forwarding.h"
#include "network/neighbour.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Is it an address by which Domain 0 is known outside of this machine? */
static bool is_public(struct netlink *nl, const struct link_address *a)
{
    struct link link;

    return a->scope == RT_SCOPE_UNIVERSE && !(a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) &&
           link_get(nl, a->link, &link, NULL) == 0 && !(link.flags & IFF_LOOPBACK) &&
           !mac_equal(&link.mac, &MAC_BACKEND);
}

/* The interface of the default route with the lowest metric, or 0. */
static int default_link(struct netlink *nl, int family)
{
    struct route *routes;
    uint32_t metric = UINT32_MAX;
    size_t n;
    int link = 0;

    if (route_list(nl, family, RT_TABLE_MAIN, &routes, &n, NULL) != 0) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (routes[i].to.prefix == 0 && routes[i].link != 0 && routes[i].metric < metric) {
            link = routes[i].link;
            metric = routes[i].metric;
        }
    }
    free(routes);
    return link;
}

static bool holds(const struct link_address *a, const struct address *guest)
{
    return a->local.prefix < address_bits(&a->local) && guest->prefix != 0 &&
           address_inside(guest, &a->local);
}

int route_uplink(struct netlink *nl, const struct address *guest, struct link_address *uplink)
{
    struct link_address *list;
    size_t n;
    int best = 0, standard = default_link(nl, guest->family);

    if (address_list(nl, 0, guest->family, &list, &n, NULL) != 0) {
        return -EADDRNOTAVAIL;
    }
    for (size_t i = 0; i < n; i++) {
        int rank = !is_public(nl, &list[i])   ? 0
                   : holds(&list[i], guest)   ? 3
                   : list[i].link == standard ? 2
                                              : 1;

        if (rank > best) {
            best = rank;
            *uplink = list[i];
        }
    }
    free(list);
    return best > 0 ? 0 : -EADDRNOTAVAIL;
}

static struct address address_of(const struct vif_addr *a)
{
    struct address address = {.family = a->family, .prefix = a->prefix};

    memcpy(address.byte, a->bytes, sizeof(address.byte));
    return address;
}

static int check_uplink(struct netlink *nl, const struct vif_addr *guest, struct error *err)
{
    struct address to = address_of(guest);
    struct link_address uplink;

    if (route_uplink(nl, &to, &uplink) != 0) {
        return fail(err, EADDRNOTAVAIL,
                    "Route mode needs an IPv%c address of Domain 0, and it has none: configure its "
                    "network first.",
                    guest->family == AF_INET ? '4' : '6');
    }
    return 0;
}

int route_check(const struct net_card *card, struct error *err)
{
    auto_netlink nl = {0};
    struct vif_addr *addrs = NULL;
    size_t n = 0;
    int rc = card_addrs(card, &addrs, &n, err);

    if (rc == 0 && n == 0) {
        rc = fail(err, EINVAL,
                  "Route mode needs the guest's addresses: add ip= with all of them to vif.");
    }
    if (rc == 0 && card->vif->bridge != NULL) {
        rc = fail(err, EINVAL,
                  "A network card in route mode is on no bridge: remove bridge= or script=.");
    }
    rc = rc ? rc : netlink_open(&nl, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = check_uplink(&nl, &addrs[i], err);
    }
    free(addrs);
    return rc;
}

/* Settings of the interface. Where the kernel has no IPv6, its settings are not there. */
static int configure(const char *name, struct error *err)
{
    static const struct {
        const char *path, *value;
        bool needed;
    } rows[] = {
        {"ipv4/conf/%s/proxy_arp", "1", true},
        {"ipv4/conf/%s/rp_filter", "1", true}, /* replies to an address must go back here */
        {"ipv4/conf/%s/send_redirects", "0", true},
        {"ipv4/conf/%s/accept_redirects", "0", true},
        {"ipv4/neigh/%s/proxy_delay", "0", false},
        {"ipv6/conf/%s/accept_ra", "0", false},
        {"ipv6/conf/%s/accept_redirects", "0", false},
        {"ipv6/conf/%s/accept_dad", "0",
         false}, /* the same address is on every guest's interface */
        {"ipv6/conf/%s/proxy_ndp", "1", false},
        {"ipv6/neigh/%s/proxy_delay", "0", false},
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        int before = (int)strcspn(rows[i].path, "%");
        auto_str path = xprintf("%.*s%s%s", before, rows[i].path, name, rows[i].path + before + 2);
        int r = sysctl_set(path, rows[i].value, rows[i].needed ? err : NULL);

        rc = rows[i].needed ? r : 0;
    }
    return rc;
}

/* A router of the uplink's network, if the default route has one: the guest may ask for it. */
static void proxy_gateway(struct netlink *nl, int link, const struct link_address *uplink)
{
    struct route *routes;
    size_t n;

    if (route_list(nl, AF_INET6, RT_TABLE_MAIN, &routes, &n, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (routes[i].to.prefix == 0 && routes[i].link == uplink->link &&
            routes[i].via.family == AF_INET6 && routes[i].via.byte[0] != 0xfe) {
            neighbour_proxy_add(nl, link, &routes[i].via, NULL);
        }
    }
    free(routes);
}

/* Domain 0's address on the interface, the route to the guest, and answers for it outside. */
static int connect_one(struct netlink *nl, int link, const struct vif_addr *guest,
                       struct error *err)
{
    struct route route = {.link = link, .to = address_of(guest)};
    struct link_address uplink;
    struct link outside;
    int rc = route_uplink(nl, &route.to, &uplink);

    if (rc != 0) {
        return check_uplink(nl, guest, err);
    }
    rc = link_get(nl, uplink.link, &outside, err);
    rc = rc ? rc : forwarding_need("route", guest->family, outside.name, err);
    if (rc != 0) {
        return rc;
    }
    route.source = uplink.local;
    route.source.prefix = address_bits(&uplink.local);
    rc = address_add(nl, link, &route.source, IFA_F_NODAD | IFA_F_NOPREFIXROUTE, err);
    if (rc == -EEXIST) {
        rc = 0;
    }
    rc = rc ? rc : route_add(nl, &route, err);
    if (rc == -EEXIST) {
        return fail(err, EEXIST,
                    "There is a route to the guest's address already (ip route): another guest may "
                    "have the same ip=.");
    }
    if (rc == 0 && route.to.prefix == address_bits(&route.to) && holds(&uplink, &route.to)) {
        rc = neighbour_proxy_add(nl, uplink.link, &route.to, err);
    }
    if (rc == 0 && guest->family == AF_INET6) {
        proxy_gateway(nl, link, &uplink);
    }
    return rc;
}

int route_online(struct net_card *card, struct error *err)
{
    auto_netlink nl = {0};
    struct vif_addr *addrs = NULL;
    struct link link;
    size_t n = 0;
    int rc = card_addrs(card, &addrs, &n, err);

    rc = rc ? rc : netlink_open(&nl, err);
    rc = rc ? rc : card_appear(&nl, card, &link, err);
    rc = rc ? rc : card_guard(card, link.name, VIF_GUARD_ALL, addrs, n, err);
    rc = rc ? rc : link_set_arp(&nl, link.index, true, err);
    rc = rc ? rc : link_set_master(&nl, link.index, 0, err);
    rc = rc ? rc : configure(link.name, err);
    rc = rc ? rc : link_set_up(&nl, link.index, true, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = connect_one(&nl, link.index, &addrs[i], err);
    }
    free(addrs);
    return rc;
}

void route_offline(const struct net_card *card)
{
    auto_netlink nl = {0};
    struct vif_addr *addrs = NULL;
    char name[IFNAMSIZ];
    struct link link;
    size_t n = 0;

    card_unguard(card);
    if (netlink_open(&nl, NULL) != 0 || card_addrs(card, &addrs, &n, NULL) != 0) {
        return;
    }
    if (card_name(card, name, NULL) == 0 && link_find(&nl, name, &link, NULL) == 0) {
        link_set_up(&nl, link.index, false, NULL); /* its routes go with that */
    }
    for (size_t i = 0; i < n; i++) {
        struct address guest = address_of(&addrs[i]);

        neighbour_proxy_remove(&nl, &guest);
    }
    free(addrs);
}
