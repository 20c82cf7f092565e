/*
 * Anti-spoofing rules. Contract: filter.h. Offsets in ICMPv6: RFC 4861, sections 4.3 and 4.4.
 */
#include "network/filter.h"

#include "network/address.h"
#include "network/nft.h"
#include "xend/lib/alloc.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "netdev hospes"

/* One rule of the chain that is written, appended to the commands. */
__attribute__((format(printf, 3, 4))) static void rule(FILE *out, const struct filter *f,
                                                       const char *fmt, ...)
{
    va_list ap;

    fprintf(out, "add rule " TABLE " on-%s ", f->ifname);
    va_start(ap, fmt);
    vfprintf(out, fmt, ap);
    va_end(ap);
    fputc('\n', out);
}

/* "{ first, 10.0.0.5, ... }" of one family. The caller frees it. */
static char *set_of(const struct filter *f, int family, const char *first)
{
    char *set = xprintf("{ %s", first), text[VIF_ADDR_TEXT];

    for (size_t i = 0; i < f->nr_addrs; i++) {
        if (f->addrs[i].family == family) {
            char *more = xprintf("%s, %s", set, vif_addr_text(&f->addrs[i], text));

            free(set);
            set = more;
        }
    }
    {
        char *whole = xprintf("%s }", set);

        free(set);
        return whole;
    }
}

/* The link-local address that IPv6 makes of a MAC; of none, that of no card. */
static void link_local(const char *mac, char text[INET6_ADDRSTRLEN])
{
    uint8_t a[16] = {0xfe, 0x80};

    address_interface_id(mac, a + 8);
    inet_ntop(AF_INET6, a, text, INET6_ADDRSTRLEN);
}

/*
 * A neighbour's solicitation or advertisement may carry one link-layer address, in its first
 * option: type, length 1, MAC. A solicitation from :: has none, but may have a nonce.
 */
static void guard_mac(FILE *out, const struct filter *f)
{
    char hex[13];

    for (unsigned i = 0, j = 0; i < 17; i++) {
        if (i % 3 != 2) {
            hex[j++] = f->mac[i];
        }
    }
    hex[12] = '\0';
    rule(out, f, "ether saddr != %s counter drop", f->mac);
    rule(out, f, "ether daddr 01:80:c2:00:00:00 counter drop"); /* spanning tree */
    rule(out, f, "arp htype != 1 counter drop");
    rule(out, f, "arp hlen != 6 counter drop");
    rule(out, f, "arp plen != 4 counter drop");
    rule(out, f, "arp saddr ether != %s counter drop", f->mac);
    rule(out, f,
         "icmpv6 type nd-neighbor-advert ip6 length != 24 @th,192,64 != 0x0201%s counter drop",
         hex);
    rule(out, f, "icmpv6 type nd-neighbor-advert ip6 length > 32 counter drop");
    rule(out, f,
         "icmpv6 type nd-neighbor-solicit ip6 saddr != :: ip6 length != 24 "
         "@th,192,64 != 0x0101%s counter drop",
         hex);
    rule(out, f, "icmpv6 type nd-neighbor-solicit ip6 saddr != :: ip6 length > 32 counter drop");
}

/* Addresses of IPv4: in ARP as in packets; 0.0.0.0 only to probe and to ask a DHCP server. */
static void guard_ipv4(FILE *out, const struct filter *f)
{
    auto_str arp = set_of(f, AF_INET, "0.0.0.0");

    rule(out, f, "arp saddr ip != %s counter drop", arp);
    rule(out, f, "ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept");
    rule(out, f, "ip saddr 0.0.0.0 counter drop");
    rule(out, f, "ip saddr != %s counter drop", arp);
}

/*
 * Addresses of IPv6: as source, and as target of an advertisement or of the solicitation from ::
 * that asks whether an address is free. From :: nothing else comes but what a starting host says.
 */
static void guard_ipv6(FILE *out, const struct filter *f)
{
    char local[INET6_ADDRSTRLEN];
    auto_str set = NULL;

    link_local(f->mac, local);
    set = set_of(f, AF_INET6, local);
    rule(out, f,
         "ip6 saddr :: icmpv6 type != { nd-neighbor-solicit, nd-router-solicit, "
         "mld2-listener-report } counter drop");
    rule(out, f, "ip6 saddr :: meta l4proto != 58 counter drop");
    rule(out, f, "ip6 saddr != :: ip6 saddr != %s counter drop", set);
}

/* Addresses in neighbour discovery, one rule for each that is allowed, in a chain of its own. */
static void guard_targets(FILE *out, const struct filter *f)
{
    struct vif_addr local = {.family = AF_INET6, .prefix = 128};
    char text[INET6_ADDRSTRLEN];

    link_local(f->mac, text);
    inet_pton(AF_INET6, text, local.bytes);
    for (size_t i = 0; i <= f->nr_addrs; i++) {
        const struct vif_addr *a = i < f->nr_addrs ? &f->addrs[i] : &local;

        if (a->family != AF_INET6) {
            continue;
        }
        fprintf(out, "add rule " TABLE " nd-%s @th,64,%u 0x", f->ifname, a->prefix / 8 * 8);
        for (unsigned b = 0; b < a->prefix / 8; b++) {
            fprintf(out, "%02x", a->bytes[b]);
        }
        fputs(" return\n", out);
    }
    fprintf(out, "add rule " TABLE " nd-%s counter drop\n", f->ifname);
    rule(out, f, "icmpv6 type nd-neighbor-advert jump nd-%s", f->ifname);
    rule(out, f, "ip6 saddr :: icmpv6 type nd-neighbor-solicit jump nd-%s", f->ifname);
}

char *filter_text(const struct filter *f)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    fprintf(out, "add table " TABLE "\n");
    fprintf(out,
            "add chain " TABLE " on-%s { type filter hook ingress device \"%s\" priority -10; }\n",
            f->ifname, f->ifname);
    fprintf(out, "add chain " TABLE " nd-%s\n", f->ifname);
    fprintf(out, "flush chain " TABLE " on-%s\n", f->ifname);
    fprintf(out, "flush chain " TABLE " nd-%s\n", f->ifname);
    if (f->guards & VIF_GUARD_IP) {
        /* First, because what is tagged or of another kind would hide addresses from the rest. */
        rule(out, f, "ether type != { arp, ip, ip6 } counter drop");
    }
    if (f->guards & VIF_GUARD_MAC) {
        guard_mac(out, f);
    }
    if (f->guards & VIF_GUARD_DHCP) {
        rule(out, f, "udp sport { 67, 547 } counter drop");
    }
    if (f->guards & VIF_GUARD_RA) {
        rule(out, f, "icmpv6 type { nd-router-advert, nd-redirect } counter drop");
    }
    if (f->guards & VIF_GUARD_IP) {
        guard_targets(out, f);
        guard_ipv6(out, f);
        guard_ipv4(out, f);
    }
    fclose(out);
    return text;
}

int filter_set(const struct filter *filter, struct error *err)
{
    auto_str text = filter_text(filter);
    auto_str what = xprintf("The anti-spoofing rules of %s", filter->ifname);

    return nft_run(text, what, err);
}

/* The table goes with its last chain. */
static void remove_if_empty(void)
{
    auto_str text = nft_ask("list table " TABLE);

    if (text != NULL && strstr(text, "chain ") == NULL) {
        nft_run("delete table " TABLE, "The table " TABLE, NULL);
    }
}

static void remove_chains(const char *ifname)
{
    static const char *const chains[] = {"on", "nd"};

    for (unsigned i = 0; i < 2; i++) {
        auto_str text = xprintf("flush chain " TABLE " %s-%s\ndelete chain " TABLE " %s-%s\n",
                                chains[i], ifname, chains[i], ifname);

        nft_run(text, "The rules", NULL); /* the kernel may have removed it with the interface */
    }
}

void filter_remove(const char *ifname)
{
    remove_chains(ifname);
    remove_if_empty();
}

void filter_sweep(void)
{
    auto_str text = nft_ask("list table " TABLE);
    char *save = NULL;

    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char ifname[IFNAMSIZ];

        if ((sscanf(line, " chain on-%15s", ifname) == 1 ||
             sscanf(line, " chain nd-%15s", ifname) == 1) &&
            if_nametoindex(ifname) == 0) {
            remove_chains(ifname);
        }
    }
    if (text != NULL) {
        remove_if_empty();
    }
}
