/*
 * Addresses and routes through rtnetlink. Contract: address.h.
 */
#include "network/address.h"

#include "network/link.h"
#include "xend/lib/alloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 10 /* of a dump that the kernel interrupts */

unsigned address_bits(const struct address *a)
{
    return a->family == AF_INET6 ? 128 : 32;
}

static int bytes_of(int family)
{
    return family == AF_INET6 ? 16 : 4;
}

bool address_parse(const char *text, struct address *a)
{
    char copy[ADDRESS_TEXT], *slash, *end;
    unsigned long prefix;

    memset(a, 0, sizeof(*a));
    if (strlen(text) >= sizeof(copy)) {
        return false;
    }
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash++ = '\0';
    }
    a->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(a->family, copy, a->byte) != 1) {
        return false;
    }
    a->prefix = address_bits(a);
    if (slash == NULL) {
        return true;
    }
    prefix = strtoul(slash, &end, 10);
    if (*slash < '0' || *slash > '9' || *end != '\0' || prefix > a->prefix) {
        return false;
    }
    a->prefix = (unsigned)prefix;
    return true;
}

const char *address_format(const struct address *a, char text[ADDRESS_TEXT])
{
    size_t used;

    if (a->family == 0 || inet_ntop(a->family, a->byte, text, ADDRESS_TEXT) == NULL) {
        return strcpy(text, "none");
    }
    used = strlen(text);
    if (a->prefix < address_bits(a)) {
        snprintf(text + used, ADDRESS_TEXT - used, "/%u", a->prefix);
    }
    return text;
}

bool address_interface_id(const char *mac, uint8_t id[8])
{
    struct mac m;

    if (!mac_parse(mac, &m)) {
        return false;
    }
    memcpy(id, m.byte, 3);
    id[0] ^= 2;
    id[3] = 0xff;
    id[4] = 0xfe;
    memcpy(id + 5, m.byte + 3, 3);
    return true;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->prefix == b->prefix && memcmp(a->byte, b->byte, 16) == 0;
}

bool address_inside(const struct address *a, const struct address *network)
{
    unsigned whole = network->prefix / 8, rest = network->prefix % 8;

    return a->family == network->family && memcmp(a->byte, network->byte, whole) == 0 &&
           (rest == 0 ||
            ((a->byte[whole] ^ network->byte[whole]) & (0xff << (8 - rest)) & 0xff) == 0);
}

static void put_address(struct nl_msg *msg, int attribute, const struct address *a)
{
    nla_put(msg, attribute, bytes_of(a->family), a->byte);
}

static void take_address(struct address *a, int family, unsigned prefix, const struct nlattr *attr)
{
    memset(a, 0, sizeof(*a));
    a->family = family;
    a->prefix = prefix;
    if (attr != NULL && nla_len(attr) == bytes_of(family)) {
        memcpy(a->byte, nla_data(attr), (size_t)bytes_of(family));
    }
}

static struct nl_msg *address_message(int type, int flags, int link, const struct address *a,
                                      uint32_t address_flags)
{
    struct ifaddrmsg fixed = {.ifa_family = (uint8_t)a->family,
                              .ifa_prefixlen = (uint8_t)a->prefix,
                              .ifa_index = (unsigned)link,
                              .ifa_scope = RT_SCOPE_UNIVERSE};
    struct nl_msg *msg = netlink_message(type, flags, &fixed, sizeof(fixed));

    if (msg != NULL) {
        put_address(msg, IFA_LOCAL, a);
        put_address(msg, IFA_ADDRESS, a);
        if (address_flags != 0) {
            nla_put_u32(msg, IFA_FLAGS, address_flags);
        }
    }
    return msg;
}

int address_add(struct netlink *nl, int link, const struct address *a, uint32_t flags,
                struct error *err)
{
    char text[ADDRESS_TEXT];

    return netlink_request(
        nl, address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link, a, flags), err,
        "The address %s cannot be added to interface number %d", address_format(a, text), link);
}

int address_delete(struct netlink *nl, int link, const struct address *a, struct error *err)
{
    char text[ADDRESS_TEXT];

    return netlink_request(nl, address_message(RTM_DELADDR, 0, link, a, 0), err,
                           "The address %s cannot be taken from interface number %d",
                           address_format(a, text), link);
}

struct address_listing {
    int link;
    struct link_address *list;
    size_t count;
};

static int take_link_address(const struct nlmsghdr *answer, void *arg)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)answer;
    struct address_listing *listing = arg;
    struct nlattr *attr[IFA_MAX + 1];
    struct link_address a = {0};
    struct ifa_cacheinfo life = {.ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX};
    struct ifaddrmsg fixed;

    if (answer->nlmsg_type != RTM_NEWADDR ||
        nlmsg_parse(header, sizeof(fixed), attr, IFA_MAX, NULL) < 0) {
        return -EPROTO;
    }
    memcpy(&fixed, nlmsg_data(header), sizeof(fixed));
    if (listing->link != 0 && fixed.ifa_index != (unsigned)listing->link) {
        return 0;
    }
    take_address(&a.local, fixed.ifa_family, fixed.ifa_prefixlen,
                 attr[IFA_LOCAL] ? attr[IFA_LOCAL] : attr[IFA_ADDRESS]);
    if (attr[IFA_CACHEINFO] != NULL) {
        nla_memcpy(&life, attr[IFA_CACHEINFO], sizeof(life));
    }
    a.link = (int)fixed.ifa_index;
    a.flags = attr[IFA_FLAGS] ? nla_get_u32(attr[IFA_FLAGS]) : fixed.ifa_flags;
    a.scope = fixed.ifa_scope;
    a.preferred = life.ifa_prefered;
    a.valid = life.ifa_valid;
    listing->list = xrealloc(listing->list, (listing->count + 1) * sizeof(a));
    listing->list[listing->count++] = a;
    return 0;
}

int address_list(struct netlink *nl, int link, int family, struct link_address **list,
                 size_t *count, struct error *err)
{
    struct ifaddrmsg fixed = {.ifa_family = (uint8_t)family};
    struct address_listing listing = {link, NULL, 0};
    int rc = -EAGAIN;

    for (int i = 0; rc == -EAGAIN && i < TRIES; i++) {
        listing.count = 0;
        rc = netlink_query(nl, netlink_message(RTM_GETADDR, NLM_F_DUMP, &fixed, sizeof(fixed)),
                           take_link_address, &listing, err,
                           "The kernel does not list its addresses");
    }
    if (rc != 0) {
        free(listing.list);
        return rc;
    }
    *list = listing.list;
    *count = listing.count;
    return 0;
}

static uint8_t scope_of(const struct route *r)
{
    return r->scope == 0 && r->via.family == 0 && r->to.family == AF_INET ? RT_SCOPE_LINK
                                                                          : r->scope;
}

static struct nl_msg *route_message(int type, int flags, const struct route *r)
{
    struct rtmsg fixed = {.rtm_family = (uint8_t)r->to.family,
                          .rtm_dst_len = (uint8_t)r->to.prefix,
                          .rtm_table = RT_TABLE_UNSPEC,
                          .rtm_protocol = r->protocol ? r->protocol : RTPROT_STATIC,
                          .rtm_scope = scope_of(r),
                          .rtm_type = r->type ? r->type : RTN_UNICAST,
                          .rtm_flags = r->onlink ? RTNH_F_ONLINK : 0};
    struct nl_msg *msg = netlink_message(type, flags, &fixed, sizeof(fixed));

    if (msg == NULL) {
        return NULL;
    }
    nla_put_u32(msg, RTA_TABLE, r->table ? r->table : RT_TABLE_MAIN);
    if (r->to.prefix > 0) {
        put_address(msg, RTA_DST, &r->to);
    }
    if (r->via.family != 0) {
        put_address(msg, RTA_GATEWAY, &r->via);
    }
    if (r->source.family != 0) {
        put_address(msg, RTA_PREFSRC, &r->source);
    }
    if (r->link != 0) {
        nla_put_u32(msg, RTA_OIF, (uint32_t)r->link);
    }
    if (r->metric != 0) {
        nla_put_u32(msg, RTA_PRIORITY, r->metric);
    }
    return msg;
}

int route_add(struct netlink *nl, const struct route *r, struct error *err)
{
    char text[ADDRESS_TEXT];

    return netlink_request(nl, route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, r), err,
                           "The route to %s cannot be added", address_format(&r->to, text));
}

int route_delete(struct netlink *nl, const struct route *r, struct error *err)
{
    char text[ADDRESS_TEXT];

    return netlink_request(nl, route_message(RTM_DELROUTE, 0, r), err,
                           "The route to %s cannot be deleted", address_format(&r->to, text));
}

struct route_listing {
    uint32_t table;
    struct route *list;
    size_t count;
};

static int take_route(const struct nlmsghdr *answer, void *arg)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)answer;
    struct route_listing *listing = arg;
    struct nlattr *attr[RTA_MAX + 1];
    struct rtmsg fixed;
    struct route r = {0};

    if (answer->nlmsg_type != RTM_NEWROUTE ||
        nlmsg_parse(header, sizeof(fixed), attr, RTA_MAX, NULL) < 0) {
        return -EPROTO;
    }
    memcpy(&fixed, nlmsg_data(header), sizeof(fixed));
    r.table = attr[RTA_TABLE] ? nla_get_u32(attr[RTA_TABLE]) : fixed.rtm_table;
    if ((fixed.rtm_flags & RTM_F_CLONED) || attr[RTA_MULTIPATH] != NULL ||
        (listing->table == 0 && r.table == RT_TABLE_LOCAL) ||
        (listing->table != 0 && r.table != listing->table)) {
        return 0;
    }
    take_address(&r.to, fixed.rtm_family, fixed.rtm_dst_len, attr[RTA_DST]);
    if (attr[RTA_GATEWAY] != NULL) {
        take_address(&r.via, fixed.rtm_family, 0, attr[RTA_GATEWAY]);
        r.via.prefix = address_bits(&r.via);
    }
    if (attr[RTA_PREFSRC] != NULL) {
        take_address(&r.source, fixed.rtm_family, 0, attr[RTA_PREFSRC]);
        r.source.prefix = address_bits(&r.source);
    }
    r.link = attr[RTA_OIF] ? (int)nla_get_u32(attr[RTA_OIF]) : 0;
    r.metric = attr[RTA_PRIORITY] ? nla_get_u32(attr[RTA_PRIORITY]) : 0;
    r.scope = fixed.rtm_scope;
    r.protocol = fixed.rtm_protocol;
    r.type = fixed.rtm_type;
    r.onlink = (fixed.rtm_flags & RTNH_F_ONLINK) != 0;
    listing->list = xrealloc(listing->list, (listing->count + 1) * sizeof(r));
    listing->list[listing->count++] = r;
    return 0;
}

int route_list(struct netlink *nl, int family, uint32_t table, struct route **list, size_t *count,
               struct error *err)
{
    struct rtmsg fixed = {.rtm_family = (uint8_t)family};
    struct route_listing listing = {table, NULL, 0};
    int rc = -EAGAIN;

    for (int i = 0; rc == -EAGAIN && i < TRIES; i++) {
        listing.count = 0;
        rc = netlink_query(nl, netlink_message(RTM_GETROUTE, NLM_F_DUMP, &fixed, sizeof(fixed)),
                           take_route, &listing, err, "The kernel does not list its routes");
    }
    if (rc != 0) {
        free(listing.list);
        return rc;
    }
    *list = listing.list;
    *count = listing.count;
    return 0;
}
