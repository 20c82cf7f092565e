/*
 * Guests' interfaces on bridges, through libnl. Contract: bridge.h.
 */
#include "network/bridge.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/if.h>
#include <netlink/addr.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPEAR_MS      10000 /* how long an interface may take to appear */
#define APPEAR_STEP_MS 5

struct net {
    struct nl_sock *sock;
};

static void net_close(struct net *net)
{
    nl_socket_free(net->sock);
}

#define auto_net __attribute__((cleanup(net_close))) struct net

static void link_cleanup(struct rtnl_link **slot)
{
    if (*slot != NULL) {
        rtnl_link_put(*slot);
    }
}

#define auto_link __attribute__((cleanup(link_cleanup))) struct rtnl_link *

static int net_open(struct net *net, struct error *err)
{
    int r;

    net->sock = nl_socket_alloc();
    if (net->sock == NULL) {
        return fail(err, ENOMEM, "There is no memory for a netlink socket.");
    }
    r = nl_connect(net->sock, NETLINK_ROUTE);
    if (r < 0) {
        return fail(err, EIO, "The kernel's network configuration does not answer: %s.",
                    nl_geterror(r));
    }
    return 0;
}

static int find_link(struct net *net, const char *name, struct rtnl_link **link)
{
    int r = rtnl_link_get_kernel(net->sock, 0, name, link);

    return r < 0 ? -ENODEV : 0;
}

/* netback says that it is ready a moment before its interface is there. */
static int await_link(struct net *net, const char *name, struct rtnl_link **link)
{
    int rc = -ENODEV;

    for (int i = 0; rc != 0 && i < APPEAR_MS / APPEAR_STEP_MS; i++) {
        rc = find_link(net, name, link);
        if (rc != 0) {
            usleep(APPEAR_STEP_MS * 1000);
        }
    }
    return rc;
}

static bool is_bridge(struct rtnl_link *link)
{
    const char *type = rtnl_link_get_type(link);

    return type != NULL && strcmp(type, "bridge") == 0;
}

static int find_bridge(struct net *net, const char *name, struct rtnl_link **link,
                       struct error *err)
{
    if (find_link(net, name, link) != 0) {
        return fail(err, ENODEV,
                    "There is no bridge %s in Domain 0: make it (ip link add %s type bridge; ip "
                    "link set %s up) or name another with bridge=.",
                    name, name, name);
    }
    if (!is_bridge(*link)) {
        return fail(err, EINVAL, "%s in Domain 0 is no bridge: name one with bridge=.", name);
    }
    return 0;
}

int net_check_bridge(const char *name, struct error *err)
{
    auto_net net = {NULL};
    auto_link bridge = NULL;
    int rc = net_open(&net, err);

    return rc ? rc : find_bridge(&net, name, &bridge, err);
}

struct bridge_search {
    unsigned count;
    bool xenbr0;
    char *name;
};

static void note_bridge(struct nl_object *object, void *arg)
{
    struct rtnl_link *link = (struct rtnl_link *)object;
    struct bridge_search *search = arg;

    if (!is_bridge(link)) {
        return;
    }
    search->count++;
    search->xenbr0 = search->xenbr0 || strcmp(rtnl_link_get_name(link), "xenbr0") == 0;
    str_set(&search->name, rtnl_link_get_name(link));
}

int net_default_bridge(char **name, struct error *err)
{
    auto_net net = {NULL};
    struct bridge_search search = {0};
    struct nl_cache *cache;
    int rc = net_open(&net, err);

    if (rc != 0) {
        return rc;
    }
    if (rtnl_link_alloc_cache(net.sock, AF_UNSPEC, &cache) < 0) {
        return fail(err, EIO, "The kernel does not list its network interfaces.");
    }
    nl_cache_foreach(cache, note_bridge, &search);
    nl_cache_free(cache);
    if (search.xenbr0) {
        str_set(&search.name, "xenbr0");
    }
    if (search.count == 0 || (search.count > 1 && !search.xenbr0)) {
        free(search.name);
        return fail(err, ENODEV,
                    search.count == 0
                        ? "There is no bridge in Domain 0 for the network card: make one (ip link "
                          "add xenbr0 type bridge; ip link set xenbr0 up)."
                        : "There are several bridges in Domain 0: name one with bridge= in vif.");
    }
    *name = search.name;
    return 0;
}

/* Change one link: `change` has only what is new. */
static int apply(struct net *net, struct rtnl_link *link, struct rtnl_link *change,
                 const char *what, struct error *err)
{
    int r = rtnl_link_change(net->sock, link, change, 0);

    rtnl_link_put(change);
    if (r < 0) {
        return fail(err, EIO, "The interface %s cannot be %s: %s.", rtnl_link_get_name(link), what,
                    nl_geterror(r));
    }
    return 0;
}

/* The MAC that Xen's backends have on a bridge, and no ARP: the bridge must never choose it. */
static int disguise(struct net *net, struct rtnl_link *link, struct error *err)
{
    static const unsigned char mac[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct rtnl_link *change = rtnl_link_alloc();
    struct nl_addr *address = nl_addr_build(AF_LLC, mac, sizeof(mac));

    rtnl_link_set_addr(change, address);
    nl_addr_put(address);
    rtnl_link_unset_flags(change, IFF_UP | IFF_MULTICAST);
    rtnl_link_set_flags(change, IFF_NOARP);
    return apply(net, link, change, "given its address", err);
}

static int rename_link(struct net *net, struct rtnl_link **link, const char *name,
                       struct error *err)
{
    struct rtnl_link *change = rtnl_link_alloc();
    int rc;

    rtnl_link_set_name(change, name);
    rc = apply(net, *link, change, "renamed (is the name taken?)", err);
    if (rc == 0) {
        rtnl_link_put(*link);
        *link = NULL;
        if (find_link(net, name, link) != 0) {
            rc = fail(err, ENODEV, "The interface %s vanished while it was renamed.", name);
        }
    }
    return rc;
}

static int put_on_bridge(struct net *net, struct rtnl_link *link, const char *name,
                         struct error *err)
{
    auto_link bridge = NULL;
    struct rtnl_link *change;
    int rc = find_bridge(net, name, &bridge, err);

    if (rc != 0) {
        return rc;
    }
    change = rtnl_link_alloc();
    rtnl_link_set_master(change, rtnl_link_get_ifindex(bridge));
    if (rtnl_link_get_mtu(bridge) != 0) {
        rtnl_link_set_mtu(change, rtnl_link_get_mtu(bridge));
    }
    return apply(net, link, change, "put on its bridge", err);
}

int net_attach(const struct net_attach *what, struct error *err)
{
    auto_net net = {NULL};
    auto_link link = NULL;
    struct rtnl_link *change;
    int rc = net_open(&net, err);

    if (rc != 0) {
        return rc;
    }
    if (await_link(&net, what->ifname, &link) != 0) {
        return fail(err, ENODEV, "The backend made no interface %s: is xen-netback loaded?",
                    what->ifname);
    }
    rc = disguise(&net, link, err);
    if (rc == 0 && what->rename != NULL) {
        rc = rename_link(&net, &link, what->rename, err);
    }
    if (rc == 0 && what->bridge != NULL) {
        rc = put_on_bridge(&net, link, what->bridge, err);
    }
    if (rc == 0) {
        change = rtnl_link_alloc();
        rtnl_link_set_flags(change, IFF_UP);
        rc = apply(&net, link, change, "brought up", err);
    }
    return rc;
}
