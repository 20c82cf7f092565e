/*
 * Records as words: for people, and for the journal ("TYPE:HEXADECIMAL"). Contract: net_record.h.
 */
#include "network/net_record.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t least_size(unsigned type)
{
    return type == RTM_NEWADDR    ? sizeof(struct ifaddrmsg)
           : type == RTM_NEWROUTE ? sizeof(struct rtmsg)
           : type == RTM_NEWNEIGH ? sizeof(struct ndmsg)
                                  : 0;
}

char *records_write(const struct records *rs)
{
    size_t size = 1, used = 0;
    char *text;

    for (size_t i = 0; i < rs->count; i++) {
        size += 8 + 2 * (size_t)rs->list[i].size;
    }
    text = xalloc(size);
    for (size_t i = 0; i < rs->count; i++) {
        const struct net_record *r = &rs->list[i];

        used += (size_t)snprintf(text + used, size - used, "%s%u:", i ? " " : "", r->type);
        for (size_t n = 0; n < r->size; n++) {
            used += (size_t)snprintf(text + used, size - used, "%02x", r->body[n]);
        }
    }
    return text;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_one(const char **text, struct records *rs)
{
    char *end;
    unsigned long type = strtoul(*text, &end, 10);
    size_t digits;
    struct net_record r = {.type = (uint16_t)type};

    if (least_size((unsigned)type) == 0 || *end != ':') {
        return -EINVAL;
    }
    digits = strspn(++end, "0123456789abcdef");
    if (digits % 2 != 0 || digits / 2 < least_size((unsigned)type) || digits / 2 > 16000) {
        return -EINVAL;
    }
    r.size = (uint16_t)(digits / 2);
    r.body = xalloc(r.size);
    for (size_t i = 0; i < r.size; i++) {
        r.body[i] = (uint8_t)(digit(end[2 * i]) << 4 | digit(end[2 * i + 1]));
    }
    records_add(rs, &r);
    free(r.body);
    *text = end + digits;
    return 0;
}

int records_read(const char *text, struct records *rs)
{
    int rc = 0;

    text += strspn(text, " ");
    while (rc == 0 && *text != '\0') {
        rc = read_one(&text, rs);
        text += strspn(text, " ");
    }
    return rc;
}

static void take(struct address *a, int family, const struct nlattr *attr)
{
    memset(a, 0, sizeof(*a));
    if (attr != NULL && nla_len(attr) == (family == AF_INET6 ? 16 : 4)) {
        a->family = family;
        a->prefix = address_bits(a);
        memcpy(a->byte, nla_data(attr), (size_t)nla_len(attr));
    }
}

static char *describe_route(const struct link_names *names, const struct net_record *r)
{
    const struct rtmsg *fixed = (const struct rtmsg *)(const void *)r->body;
    struct nlattr *attr[RTA_MAX + 1];
    char to_text[ADDRESS_TEXT], via_text[ADDRESS_TEXT + 8] = "", on[64] = "", rest[64] = "";
    struct address to, via;
    uint32_t table;

    if (nla_parse(attr, RTA_MAX, (struct nlattr *)(void *)(r->body + NLMSG_ALIGN(sizeof(*fixed))),
                  (int)r->size - (int)NLMSG_ALIGN(sizeof(*fixed)), NULL) < 0) {
        return xstrdup("a route");
    }
    take(&to, fixed->rtm_family, attr[RTA_DST]);
    to.prefix = fixed->rtm_dst_len;
    address_format(&to, to_text);
    take(&via, fixed->rtm_family, attr[RTA_GATEWAY]);
    if (via.family != 0) {
        char text[ADDRESS_TEXT];

        snprintf(via_text, sizeof(via_text), " via %s", address_format(&via, text));
    }
    if (attr[RTA_OIF] != NULL) {
        snprintf(on, sizeof(on), " on %s", link_names_get(names, (int)nla_get_u32(attr[RTA_OIF])));
    } else if (attr[RTA_MULTIPATH] != NULL) {
        snprintf(on, sizeof(on), " over several ways");
    }
    if (attr[RTA_PRIORITY] != NULL) {
        snprintf(rest, sizeof(rest), ", metric %u", nla_get_u32(attr[RTA_PRIORITY]));
    }
    table = attr[RTA_TABLE] ? nla_get_u32(attr[RTA_TABLE]) : RT_TABLE_MAIN;
    if (table != RT_TABLE_MAIN) {
        size_t used = strlen(rest);

        snprintf(rest + used, sizeof(rest) - used, ", table %u", table);
    }
    return xprintf("route to %s%s%s%s",
                   fixed->rtm_dst_len                                       ? to_text
                   : to.family == AF_INET6 || fixed->rtm_family == AF_INET6 ? "default (IPv6)"
                                                                            : "default",
                   via_text, on, rest);
}

char *net_record_describe(const struct link_names *names, const struct net_record *r)
{
    const struct ifaddrmsg *address = (const struct ifaddrmsg *)(const void *)r->body;
    const struct ndmsg *neighbour = (const struct ndmsg *)(const void *)r->body;
    char text[ADDRESS_TEXT];
    struct address a;

    net_record_address(r, &a);
    if (r->type == RTM_NEWADDR) {
        a.prefix = address->ifa_prefixlen;
        return xprintf("address %s on %s", address_format(&a, text),
                       link_names_get(names, (int)address->ifa_index));
    }
    if (r->type == RTM_NEWNEIGH) {
        return xprintf("neighbour %s on %s", address_format(&a, text),
                       link_names_get(names, neighbour->ndm_ifindex));
    }
    return describe_route(names, r);
}
