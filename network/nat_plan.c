/*
 * NAT mode's network as a plan. Contract: nat_plan.h.
 */
#include "network/nat_plan.h"

#include "network/dnsmasq.h"
#include "network/forwarding.h"
#include "network/nat.h"
#include "network/nft.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_GAP 64 /* between the numbers of links that are there and that of a new one */

/* What is there. */
struct facts {
    int index;                  /* of the bridge, or the one that it will get */
    bool bridge, ours;          /* ours: it has our note */
    bool up, address, address6; /* address6: or none is wanted */
};

static int look_at_links(struct netlink *nl, struct facts *f, struct error *err)
{
    struct link *links;
    size_t n;
    int rc = link_list(nl, &links, &n, err), highest = 0;

    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        highest = links[i].index > highest ? links[i].index : highest;
        if (strcmp(links[i].name, nat_bridge()) == 0) {
            f->bridge = true;
            f->index = links[i].index;
            f->ours = strcmp(links[i].alias, NAT_NOTE) == 0;
            f->up = (links[i].flags & IFF_UP) != 0;
        }
    }
    f->index = f->bridge ? f->index : highest + INDEX_GAP;
    free(links);
    return 0;
}

static int look(struct netlink *nl, struct facts *f, struct error *err)
{
    struct link_address *list = NULL;
    const struct address *six = nat_network6();
    size_t n = 0;
    int rc;

    memset(f, 0, sizeof(*f));
    f->address6 = six == NULL;
    rc = look_at_links(nl, f, err);
    rc = rc || !f->bridge ? rc : address_list(nl, f->index, 0, &list, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        f->address = f->address || address_equal(&list[i].local, nat_network());
        f->address6 = f->address6 || address_equal(&list[i].local, six);
    }
    free(list);
    return rc;
}

/* The kernel's own settings of a bridge that is there are another one's. */
static void make_bridge(struct changes *cs, const struct facts *f, const char *mac_text)
{
    auto_str spec = xprintf("bridge %s %s", nat_bridge(), mac_text);
    char value[16];

    change_add(cs, CHANGE_LINK, f->index, NULL, spec);
    change_add(cs, CHANGE_ALIAS, f->index, "", NAT_NOTE);
    if (nat_network6() == NULL &&
        sysctl_get("ipv6/conf/default/disable_ipv6", value, sizeof(value), NULL) == 0) {
        change_add_setting(cs, f->index, "ipv6/conf/%s/disable_ipv6", "0", "1");
    }
}

/* A bridge without a MAC of its own would take the one of its ports. */
static void step_bridge(struct plan *plan, const struct facts *f, bool start)
{
    const struct address *net = nat_network();
    struct mac mac = {{0x00, 0x16, 0x3e, net->byte[1], net->byte[2], net->byte[3]}};
    char mac_text[18], address[ADDRESS_TEXT];
    struct changes *cs;

    if (start ? f->bridge && f->address && f->address6 && f->up
              : !f->bridge || (!f->ours && !f->address)) {
        return;
    }
    mac_format(&mac, mac_text);
    address_format(net, address);
    plan_step(plan, 1,
              f->bridge && start
                  ? xprintf("Use the bridge %s, with the address %s", nat_bridge(), address)
                  : xprintf("Make the bridge %s with the address %s", nat_bridge(), address),
              f->ours || !f->bridge
                  ? xprintf("Delete the bridge %s", nat_bridge())
                  : xprintf("Take the address %s from %s", address, nat_bridge()));
    cs = plan_changes(plan);
    if (start ? !f->bridge : f->ours) {
        make_bridge(cs, f, mac_text);
    }
    if (start ? !f->address : f->address) {
        change_add(cs, CHANGE_ADDRESS, f->index, NULL, address);
    }
    if (nat_network6() != NULL && (start ? !f->address6 : f->address6)) {
        change_add(cs, CHANGE_ADDRESS, f->index, NULL, address_format(nat_network6(), address));
    }
    if (start ? !f->up : f->ours) {
        change_add(cs, CHANGE_UP, f->index, "0", "1");
    }
}

static void network_format(const struct address *own, char text[ADDRESS_TEXT])
{
    struct address net = *own;

    for (unsigned bit = net.prefix; bit < address_bits(&net); bit++) {
        net.byte[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    }
    address_format(&net, text);
}

/* What IPv6 has besides. There are no forwarded ports: those are of IPv4. */
static char *rules6_text(void)
{
    const char *bridge = nat_bridge();
    char text[ADDRESS_TEXT];

    if (nat_network6() == NULL) {
        return xstrdup("");
    }
    network_format(nat_network6(), text);
    return xprintf("add rule inet hospes postrouting ip6 saddr %s ip6 daddr != %s"
                   " ip6 daddr != ff00::/8 masquerade\n"
                   "add rule inet hospes forward iifname \"%s\" oifname != \"%s\""
                   " ip6 saddr != %s counter drop\n",
                   text, text, bridge, bridge, text);
}

static char *rules_text(void)
{
    auto_str six = rules6_text();
    const char *bridge = nat_bridge();
    char text[ADDRESS_TEXT];

    network_format(nat_network(), text);
    return xprintf(
        "add table inet hospes\n"
        "add map inet hospes ports { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
        "add chain inet hospes prerouting { type nat hook prerouting priority dstnat; }\n"
        "add chain inet hospes output { type nat hook output priority -100; }\n"
        "add chain inet hospes postrouting { type nat hook postrouting priority srcnat; }\n"
        "add chain inet hospes forward { type filter hook forward priority filter; }\n"
        "add rule inet hospes prerouting fib daddr type local"
        " dnat ip to meta l4proto . th dport map @ports\n"
        "add rule inet hospes output ip daddr != 127.0.0.0/8 fib daddr type local"
        " dnat ip to meta l4proto . th dport map @ports\n"
        "add rule inet hospes postrouting ip saddr %s ip daddr != %s"
        " ip daddr != 224.0.0.0/4 masquerade\n"
        "add rule inet hospes postrouting ip saddr %s ip daddr %s ct status dnat masquerade\n"
        "add rule inet hospes forward iifname \"%s\" oifname != \"%s\" ip saddr != %s counter drop\n"
        "add rule inet hospes forward iifname != \"%s\" oifname \"%s\""
        " ct state != { established, related } ct status ! dnat counter drop\n%s",
        text, text, text, text, bridge, bridge, text, bridge, bridge, six);
}

/* A step of one change: for start if it is not there, for stop if it is. Takes the texts. */
static void step_one(struct plan *plan, bool wanted, unsigned number, char *up, char *down,
                     enum change_kind kind, char *what)
{
    if (wanted) {
        plan_step(plan, number, up, down);
        change_add(plan_changes(plan), kind, 0, NULL, what);
    } else {
        free(up);
        free(down);
    }
    free(what);
}

static char *server_text(void)
{
    const struct address *net = nat_network();
    char address[INET_ADDRSTRLEN], first[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];
    char six[ADDRESS_TEXT] = "";
    uint32_t bits = htonl(~0u << (32 - net->prefix)), start;

    memcpy(&start, net->byte, 4);
    start &= bits;
    inet_ntop(AF_INET, net->byte, address, sizeof(address));
    inet_ntop(AF_INET, &start, first, sizeof(first));
    inet_ntop(AF_INET, &bits, mask, sizeof(mask));
    if (nat_network6() != NULL) {
        network_format(nat_network6(), six);
        six[strcspn(six, "/")] = '\0';
    }
    return xprintf("%s %s %s %s%s%s", nat_bridge(), address, first, mask, six[0] ? " " : "", six);
}

int nat_plan(struct netlink *nl, bool start, struct plan *plan, struct error *err)
{
    auto_str rules = nft_ask("list table inet hospes");
    bool ends = forwarding_would_end("nat");
    struct facts f;
    int rc = look(nl, &f, err);

    memset(plan, 0, sizeof(*plan));
    plan->made = plan_now();
    plan->title =
        xprintf(start ? "NAT mode: guests on %s are behind this machine" : "NAT mode: %s goes",
                nat_bridge());
    if (rc != 0) {
        return rc;
    }
    step_bridge(plan, &f, start);
    step_one(plan, (rules != NULL) != start, 2,
             xstrdup("Add the packet filter's table \"inet hospes\": masquerading and forwarded "
                     "ports, nothing else gets in"),
             xstrdup("Delete the packet filter's table \"inet hospes\""), CHANGE_RULES,
             rules_text());
    step_one(plan, forwarding_needed("nat") != start, 3, xstrdup("Turn IP forwarding on"),
             xstrdup(ends ? "Put IP forwarding back as it was"
                          : "Leave IP forwarding on, as others need it"),
             CHANGE_FORWARDING,
             start && nat_network6() != NULL ? xstrdup("nat ipv6") : forwarding_describe("nat"));
    step_one(plan, (dnsmasq_pid() != 0) != start, 4,
             xprintf("Start dnsmasq for DHCP and DNS on %s", nat_bridge()), xstrdup("End dnsmasq"),
             CHANGE_SERVER, server_text());
    if (!start) {
        plan_reverse(plan);
    }
    return 0;
}
