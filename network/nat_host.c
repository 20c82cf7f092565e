/*
 * NAT mode's network in Domain 0. Contract: nat.h.
 *
 * Each step can be repeated and undone by itself; they are undone in the opposite order. Rules are
 * in the table "inet hospes":
 *
 *     ports          protocol and port of Domain 0 -> address and port of a guest
 *     prerouting     what comes for an address of Domain 0, and is in ports, goes to the guest
 *     output         the same for Domain 0's own programs, but for 127.0.0.1
 *     postrouting    guests speak under Domain 0's address, also to one another through `ports`
 *     forward        nothing else gets in from outside; nothing gets out under a foreign address
 */
#include "network/nat.h"

#include "network/dnsmasq.h"
#include "network/forwarding.h"
#include "network/nft.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char bridge[IFNAMSIZ] = "virbr0";
static struct address network = {AF_INET, 24, {192, 168, 122, 1}};
static bool made; /* the bridge, by the nat_host_up() that runs */

int nat_configure(const char *name, const char *address, struct error *err)
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
    return 0;
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

static int check_networks(struct netlink *nl, int own, struct error *err)
{
    struct link_address *list = NULL;
    struct link link;
    char text[ADDRESS_TEXT], its[ADDRESS_TEXT];
    size_t n;
    int rc = address_list(nl, 0, AF_INET, &list, &n, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (list[i].link != own && overlap(&list[i].local, &network) &&
            link_get(nl, list[i].link, &link, NULL) == 0) {
            rc = fail(err, EADDRINUSE,
                      "NAT mode's network %s is in use: %s has the address %s. Choose another with "
                      "nat_network in xend.conf.",
                      address_format(&network, text), link.name,
                      address_format(&list[i].local, its));
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
    return rc ? rc : check_networks(&nl, link.index, err);
}

/* A bridge without a MAC of its own would take the one of its ports. */
static int up_bridge(struct netlink *nl, struct error *err)
{
    struct mac mac = {{0x00, 0x16, 0x3e, network.byte[1], network.byte[2], network.byte[3]}};
    struct link_new new = {.name = bridge, .mac = &mac};
    auto_str ipv6 = xprintf("ipv6/conf/%s/disable_ipv6", bridge);
    int rc = link_add_bridge(nl, &new, err);

    if (rc != 0 && rc != -EEXIST) {
        return rc;
    }
    made = rc == 0;
    sysctl_set(ipv6, "1", NULL); /* NAT mode is IPv4 only */
    return 0;
}

static void down_bridge(struct netlink *nl)
{
    struct link link;

    if (link_find(nl, bridge, &link, NULL) == 0 && link_is(&link, "bridge")) {
        link_delete(nl, link.index, NULL);
    }
}

static int up_address(struct netlink *nl, struct error *err)
{
    struct link link;
    int rc = link_find(nl, bridge, &link, err);

    if (rc == 0) {
        rc = address_add(nl, link.index, &network, 0, err);
        rc = rc == -EEXIST ? 0 : rc;
    }
    return rc ? rc : link_set_up(nl, link.index, true, err);
}

static void down_nothing(struct netlink *nl)
{
    /* the address goes with the bridge */
}

static int up_forwarding(struct netlink *nl, struct error *err)
{
    return forwarding_need("nat", AF_INET, NULL, err);
}

static void down_forwarding(struct netlink *nl)
{
    forwarding_release("nat", NULL);
}

static int up_rules(struct netlink *nl, struct error *err)
{
    struct address net = network;
    char text[ADDRESS_TEXT];
    auto_str rules = NULL;

    for (unsigned bit = net.prefix; bit < 32; bit++) {
        net.byte[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    }
    address_format(&net, text);
    rules = xprintf(
        "add table inet hospes\n"
        "add map inet hospes ports { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
        "add chain inet hospes prerouting { type nat hook prerouting priority dstnat; }\n"
        "add chain inet hospes output { type nat hook output priority -100; }\n"
        "add chain inet hospes postrouting { type nat hook postrouting priority srcnat; }\n"
        "add chain inet hospes forward { type filter hook forward priority filter; }\n"
        "flush chain inet hospes prerouting\nflush chain inet hospes output\n"
        "flush chain inet hospes postrouting\nflush chain inet hospes forward\n"
        "add rule inet hospes prerouting fib daddr type local"
        " dnat ip to meta l4proto . th dport map @ports\n"
        "add rule inet hospes output ip daddr != 127.0.0.0/8 fib daddr type local"
        " dnat ip to meta l4proto . th dport map @ports\n"
        "add rule inet hospes postrouting ip saddr %s ip daddr != %s"
        " ip daddr != 224.0.0.0/4 masquerade\n"
        "add rule inet hospes postrouting ip saddr %s ip daddr %s ct status dnat masquerade\n"
        "add rule inet hospes forward iifname \"%s\" oifname != \"%s\" ip saddr != %s counter drop\n"
        "add rule inet hospes forward iifname != \"%s\" oifname \"%s\""
        " ct state != { established, related } ct status ! dnat counter drop\n",
        text, text, text, text, bridge, bridge, text, bridge, bridge);
    return nft_run(rules, "NAT mode's rules", err);
}

static void down_rules(struct netlink *nl)
{
    nft_run("delete table inet hospes", "NAT mode's rules", NULL);
}

static int up_server(struct netlink *nl, struct error *err)
{
    char address[INET_ADDRSTRLEN], first[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];
    struct dnsmasq_config config = {bridge, address, first, mask};
    uint32_t bits = htonl(~0u << (32 - network.prefix)), start;

    memcpy(&start, network.byte, 4);
    start &= bits;
    inet_ntop(AF_INET, network.byte, address, sizeof(address));
    inet_ntop(AF_INET, &start, first, sizeof(first));
    inet_ntop(AF_INET, &bits, mask, sizeof(mask));
    return dnsmasq_start(&config, err);
}

static void down_server(struct netlink *nl)
{
    dnsmasq_stop();
}

static const struct {
    int (*up)(struct netlink *nl, struct error *err);
    void (*down)(struct netlink *nl);
} steps[] = {
    {up_bridge, down_bridge},         {up_address, down_nothing}, {up_rules, down_rules},
    {up_forwarding, down_forwarding}, {up_server, down_server},
};

#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static void down_from(struct netlink *nl, size_t done)
{
    while (done-- > 0) {
        steps[done].down(nl);
    }
}

int nat_host_up(struct error *err)
{
    auto_netlink nl = {0};
    int rc = netlink_open(&nl, err);

    made = false;
    for (size_t i = 0; rc == 0 && i < NR_STEPS; i++) {
        rc = steps[i].up(&nl, err);
        if (rc != 0 && made) {
            down_from(&nl, i + 1); /* a network that was there may have guests: it stays */
        }
    }
    return rc;
}

void nat_host_down(void)
{
    auto_netlink nl = {0};

    if (netlink_open(&nl, NULL) == 0) {
        down_from(&nl, NR_STEPS);
    }
}
