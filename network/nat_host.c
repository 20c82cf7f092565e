/*
 * NAT mode's network in Domain 0. Contract: nat.h.
 *
 * The work is done by the program network-nat (program/network_host.c), as one transaction that
 * outlives xend; here it is looked whether there is any. Read next: nat_plan.h.
 */
#include "network/nat.h"

#include "network/dnsmasq.h"
#include "network/host_modes.h"
#include "network/nat_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char bridge[IFNAMSIZ] = "virbr0";
static struct address network = {AF_INET, 24, {192, 168, 122, 1}};
static struct address network6; /* family 0: none */

static int configure6(const char *text, struct error *err)
{
    if (text == NULL) {
        network6.family = 0;
        return 0;
    }
    if (!address_parse(text, &network6) || network6.family != AF_INET6 || network6.prefix != 64) {
        network6.family = 0;
        return fail(
            err, EINVAL,
            "nat_network6 = \"%s\" is no IPv6 address with a prefix of 64: write Domain 0's "
            "address in NAT mode's network, as in fd00:122::1/64.",
            text);
    }
    return 0;
}

int nat_configure(const char *name, const char *address, const char *address6, struct error *err)
{
    if (name != NULL && name_card(name, NULL, 0, 0, bridge, err) != 0) {
        return -EINVAL;
    }
    if (address != NULL && (!address_parse(address, &network) || network.family != AF_INET ||
                            network.prefix < 8 || network.prefix > 29)) {
        return fail(err, EINVAL,
                    "nat_network = \"%s\" is no IPv4 address with a prefix from 8 to 29: write "
                    "Domain 0's address in NAT mode's network, as in 192.168.122.1/24.",
                    address);
    }
    return configure6(address6, err);
}

const struct address *nat_network6(void)
{
    return network6.family != 0 ? &network6 : NULL;
}

const char *nat_bridge(void)
{
    return bridge;
}

const struct address *nat_network(void)
{
    return &network;
}

static bool overlap(const struct address *a, const struct address *b)
{
    struct address wide = a->prefix < b->prefix ? *a : *b;
    struct address narrow = a->prefix < b->prefix ? *b : *a;

    narrow.prefix = address_bits(&narrow);
    return address_inside(&narrow, &wide);
}

static int check_network(struct netlink *nl, int own, const struct address *net, struct error *err)
{
    struct link_address *list = NULL;
    struct link link;
    char text[ADDRESS_TEXT], its[ADDRESS_TEXT];
    size_t n;
    int rc = address_list(nl, 0, net->family, &list, &n, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (list[i].link != own && overlap(&list[i].local, net) &&
            link_get(nl, list[i].link, &link, NULL) == 0) {
            rc = fail(err, EADDRINUSE,
                      "NAT mode's network %s is in use: %s has the address %s. Choose another with "
                      "nat_network%s in xend.conf.",
                      address_format(net, text), link.name, address_format(&list[i].local, its),
                      net->family == AF_INET6 ? "6" : "");
        }
    }
    free(list);
    return rc;
}

int nat_host_check(struct error *err)
{
    auto_netlink nl = {0};
    struct link link = {.index = 0};
    int rc = netlink_open(&nl, err);

    if (rc == 0 && link_find(&nl, bridge, &link, NULL) == 0 && !link_is(&link, "bridge")) {
        rc = fail(err, EEXIST,
                  "%s in Domain 0 is no bridge: choose another name with nat_bridge in xend.conf.",
                  bridge);
    }
    rc = rc ? rc : dnsmasq_check(err);
    rc = rc ? rc : check_network(&nl, link.index, &network, err);
    return rc || network6.family == 0 ? rc : check_network(&nl, link.index, &network6, err);
}

int nat_host_up(struct error *err)
{
    auto_netlink nl = {0};
    auto_plan plan = {0};
    int rc = netlink_open(&nl, err);

    rc = rc ? rc : nat_plan(&nl, true, &plan, err);
    if (rc == 0 && plan.count > 0) {
        rc = host_program("network-nat", "start", err);
    }
    if (rc == 0) {
        dnsmasq_watch();
    }
    return rc;
}

int nat_host_down(struct error *err)
{
    int rc;

    dnsmasq_unwatch(); /* else it would come back */
    rc = host_program("network-nat", "stop", err);
    if (rc != 0 && dnsmasq_pid() != 0) {
        dnsmasq_watch();
    }
    return rc;
}
