/*
 * Records of the kernel, taken and given back. Contract: net_record.h. As text: net_record_text.c.
 */
#include "network/net_record.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define TRIES       10
#define MEANWHILE_S 60 /* how long a router may take to advertise itself again */

/* What a program may set on an address; the kernel finds out the rest. */
#define ADDRESS_FLAGS                                                               \
    (IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | \
     IFA_F_MCAUTOJOIN)

void records_free(struct records *rs)
{
    for (size_t i = 0; i < rs->count; i++) {
        free(rs->list[i].body);
    }
    free(rs->list);
    memset(rs, 0, sizeof(*rs));
}

void records_add(struct records *rs, const struct net_record *r)
{
    struct net_record copy = *r;

    copy.body = xalloc(r->size);
    memcpy(copy.body, r->body, r->size);
    rs->list = xrealloc(rs->list, (rs->count + 1) * sizeof(copy));
    rs->list[rs->count++] = copy;
}

static size_t fixed_size(uint16_t type)
{
    return type == RTM_NEWADDR    ? sizeof(struct ifaddrmsg)
           : type == RTM_NEWROUTE ? sizeof(struct rtmsg)
                                  : sizeof(struct ndmsg);
}

static struct nlattr *first_attr(const struct net_record *r, int *left)
{
    size_t skip = NLMSG_ALIGN(fixed_size(r->type));

    *left = (int)r->size - (int)skip;
    return (struct nlattr *)(void *)(r->body + skip);
}

static struct nlattr *find_attr(const struct net_record *r, int type)
{
    int left;
    struct nlattr *first = first_attr(r, &left);

    return nla_find(first, left, type);
}

/* Copy the attributes of an answer that a record keeps, in the order of their numbers. */
static void keep_attrs(struct nl_msg *msg, struct nlattr **attr, int max, const int *drop)
{
    for (int i = 1; i <= max; i++) {
        bool dropped = attr[i] == NULL;

        for (const int *d = drop; !dropped && *d != 0; d++) {
            dropped = *d == i;
        }
        if (!dropped) {
            nla_put(msg, i, nla_len(attr[i]), nla_data(attr[i]));
        }
    }
}

static void keep(struct records *rs, struct nl_msg *msg)
{
    struct nlmsghdr *header = nlmsg_hdr(msg);
    struct net_record r = {.type = header->nlmsg_type,
                           .size = (uint16_t)nlmsg_datalen(header),
                           .body = nlmsg_data(header)};

    records_add(rs, &r);
    nlmsg_free(msg);
}

static int take_address_record(const struct nlmsghdr *answer, void *arg)
{
    static const int drop[] = {IFA_FLAGS, IFA_TARGET_NETNSID, 0};
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)answer;
    struct nlattr *attr[IFA_MAX + 1];
    struct ifaddrmsg fixed;
    uint32_t flags;
    struct nl_msg *msg;

    if (answer->nlmsg_type != RTM_NEWADDR ||
        nlmsg_parse(header, sizeof(fixed), attr, IFA_MAX, NULL) < 0) {
        return -EPROTO;
    }
    memcpy(&fixed, nlmsg_data(header), sizeof(fixed));
    flags = attr[IFA_FLAGS] ? nla_get_u32(attr[IFA_FLAGS]) : fixed.ifa_flags;
    fixed.ifa_flags = 0;
    msg = netlink_message(RTM_NEWADDR, 0, &fixed, sizeof(fixed));
    if (msg == NULL) {
        return -ENOMEM;
    }
    keep_attrs(msg, attr, IFA_MAX, drop);
    nla_put_u32(msg, IFA_FLAGS, flags & ADDRESS_FLAGS);
    keep(arg, msg);
    return 0;
}

static int take_neighbour(const struct nlmsghdr *answer, void *arg)
{
    static const int drop[] = {NDA_CACHEINFO, NDA_PROBES, NDA_MASTER, 0};
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)answer;
    struct nlattr *attr[NDA_MAX + 1];
    struct ndmsg fixed;
    struct nl_msg *msg;

    if (answer->nlmsg_type != RTM_NEWNEIGH ||
        nlmsg_parse(header, sizeof(fixed), attr, NDA_MAX, NULL) < 0) {
        return -EPROTO;
    }
    memcpy(&fixed, nlmsg_data(header), sizeof(fixed));
    if (!(fixed.ndm_state & NUD_PERMANENT) ||
        (fixed.ndm_family != AF_INET && fixed.ndm_family != AF_INET6)) {
        return 0;
    }
    msg = netlink_message(RTM_NEWNEIGH, 0, &fixed, sizeof(fixed));
    if (msg == NULL) {
        return -ENOMEM;
    }
    keep_attrs(msg, attr, NDA_MAX, drop);
    keep(arg, msg);
    return 0;
}

/* The next of several ways is whole. (RTNH_OK looks into it before it looks at what is left.) */
static bool way_ok(const struct rtnexthop *way, int left)
{
    return left >= (int)sizeof(*way) && way->rtnh_len >= sizeof(*way) && way->rtnh_len <= left;
}

/* The states of the ways of a route (dead, without carrier) are the kernel's business. */
static void clean_ways(struct nlattr *multipath)
{
    struct rtnexthop *way = nla_data(multipath);
    int left = nla_len(multipath);

    while (way_ok(way, left)) {
        int step = (int)RTNH_ALIGN(way->rtnh_len);

        way->rtnh_flags &= RTNH_F_ONLINK;
        left -= step;
        way = RTNH_NEXT(way);
    }
}

static int take_route_record(const struct nlmsghdr *answer, void *arg)
{
    static const int drop[] = {RTA_CACHEINFO, RTA_NH_ID, RTA_EXPIRES, RTA_TABLE, 0};
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)answer;
    struct nlattr *attr[RTA_MAX + 1];
    struct rta_cacheinfo life = {0};
    struct rtmsg fixed;
    struct nl_msg *msg;
    uint32_t table;

    if (answer->nlmsg_type != RTM_NEWROUTE ||
        nlmsg_parse(header, sizeof(fixed), attr, RTA_MAX, NULL) < 0) {
        return -EPROTO;
    }
    memcpy(&fixed, nlmsg_data(header), sizeof(fixed));
    table = attr[RTA_TABLE] ? nla_get_u32(attr[RTA_TABLE]) : fixed.rtm_table;
    if ((fixed.rtm_flags & RTM_F_CLONED) || table == RT_TABLE_LOCAL) {
        return 0;
    }
    fixed.rtm_flags &= RTNH_F_ONLINK;
    fixed.rtm_table = RT_TABLE_UNSPEC;
    msg = netlink_message(RTM_NEWROUTE, 0, &fixed, sizeof(fixed));
    if (msg == NULL) {
        return -ENOMEM;
    }
    if (attr[RTA_MULTIPATH] != NULL) {
        clean_ways(attr[RTA_MULTIPATH]);
    }
    keep_attrs(msg, attr, RTA_MAX, drop);
    nla_put_u32(msg, RTA_TABLE, table);
    if (attr[RTA_CACHEINFO] != NULL) {
        nla_memcpy(&life, attr[RTA_CACHEINFO], sizeof(life));
    }
    if (life.rta_expires > 0) { /* in ticks of USER_HZ, which is 100 */
        nla_put_u32(msg, RTA_EXPIRES, (uint32_t)life.rta_expires / 100 + 1);
    }
    keep(arg, msg);
    return 0;
}

static int take(struct netlink *nl, int type, int family, netlink_each *each, struct records *rs,
                struct error *err)
{
    union {
        struct ifaddrmsg address;
        struct rtmsg route;
        struct ndmsg neighbour;
    } fixed = {0};
    size_t had = rs->count;
    int rc = -EAGAIN;

    memset(&fixed, 0, sizeof(fixed));
    *(uint8_t *)&fixed = (uint8_t)family; /* the first field of each */
    for (int i = 0; rc == -EAGAIN && i < TRIES; i++) {
        while (rs->count > had) {
            free(rs->list[--rs->count].body);
        }
        rc = netlink_query(
            nl, netlink_message(type, NLM_F_DUMP, &fixed, fixed_size((uint16_t)(type - 2))), each,
            rs, err, "The kernel does not list its addresses and routes");
    }
    return rc;
}

int records_take(struct netlink *nl, struct records *rs, struct error *err)
{
    int rc = take(nl, RTM_GETADDR, AF_UNSPEC, take_address_record, rs, err);

    rc = rc ? rc : take(nl, RTM_GETNEIGH, AF_INET, take_neighbour, rs, err);
    rc = rc ? rc : take(nl, RTM_GETNEIGH, AF_INET6, take_neighbour, rs, err);
    rc = rc ? rc : take(nl, RTM_GETROUTE, AF_INET, take_route_record, rs, err);
    return rc ? rc : take(nl, RTM_GETROUTE, AF_INET6, take_route_record, rs, err);
}

/* Attributes that run down and so are no part of what a record is. */
static bool runs_down(uint16_t record, int attribute)
{
    return (record == RTM_NEWADDR && attribute == IFA_CACHEINFO) ||
           (record == RTM_NEWROUTE && attribute == RTA_EXPIRES);
}

bool net_record_equal(const struct net_record *a, const struct net_record *b)
{
    struct nlattr *x, *y;
    int x_left, y_left;

    if (a->type != b->type || memcmp(a->body, b->body, fixed_size(a->type)) != 0) {
        return false;
    }
    x = first_attr(a, &x_left);
    y = first_attr(b, &y_left);
    for (;;) {
        while (nla_ok(x, x_left) && runs_down(a->type, nla_type(x))) {
            x = nla_next(x, &x_left);
        }
        while (nla_ok(y, y_left) && runs_down(b->type, nla_type(y))) {
            y = nla_next(y, &y_left);
        }
        if (!nla_ok(x, x_left) || !nla_ok(y, y_left)) {
            return !nla_ok(x, x_left) && !nla_ok(y, y_left);
        }
        if (x->nla_len != y->nla_len || memcmp(x, y, x->nla_len) != 0) {
            return false;
        }
        x = nla_next(x, &x_left);
        y = nla_next(y, &y_left);
    }
}

bool records_have(const struct records *rs, const struct net_record *r)
{
    for (size_t i = 0; i < rs->count; i++) {
        if (net_record_equal(&rs->list[i], r)) {
            return true;
        }
    }
    return false;
}

/* Every number of a link in a record, one after the other: *which counts from 0. NULL: no more. */
static void *link_field(const struct net_record *r, unsigned *which)
{
    static const int singles[] = {RTA_OIF, RTA_IIF};
    unsigned n = (*which)++;
    struct nlattr *attr;
    struct rtnexthop *way;
    int left;

    if (r->type == RTM_NEWADDR) {
        return n == 0 ? r->body + offsetof(struct ifaddrmsg, ifa_index) : NULL;
    }
    if (r->type == RTM_NEWNEIGH) {
        return n == 0 ? r->body + offsetof(struct ndmsg, ndm_ifindex) : NULL;
    }
    while (n < 2) {
        attr = find_attr(r, singles[n]);
        if (attr != NULL) {
            return nla_data(attr);
        }
        n = (*which)++;
    }
    attr = find_attr(r, RTA_MULTIPATH);
    if (attr == NULL) {
        return NULL;
    }
    way = nla_data(attr);
    left = nla_len(attr);
    for (n -= 2; n > 0 && way_ok(way, left); n--) {
        int step = (int)RTNH_ALIGN(way->rtnh_len);

        left -= step;
        way = RTNH_NEXT(way);
    }
    return way_ok(way, left) ? &way->rtnh_ifindex : NULL;
}

bool net_record_on(const struct net_record *r, int link)
{
    unsigned which = 0;
    void *field;
    int32_t number;

    while ((field = link_field(r, &which)) != NULL) {
        memcpy(&number, field, sizeof(number));
        if (number == link) {
            return true;
        }
    }
    return false;
}

void net_record_move(struct net_record *r, int from, int to)
{
    unsigned which = 0;
    void *field;
    int32_t number, next = to;

    while ((field = link_field(r, &which)) != NULL) {
        memcpy(&number, field, sizeof(number));
        if (number == from) {
            memcpy(field, &next, sizeof(next));
        }
    }
}

int net_record_family(const struct net_record *r)
{
    return r->body[0]; /* of each of the three */
}

static void address_of(const struct net_record *r, int attribute, struct address *a)
{
    struct nlattr *attr = find_attr(r, attribute);

    memset(a, 0, sizeof(*a));
    if (attr != NULL && nla_len(attr) == (net_record_family(r) == AF_INET6 ? 16 : 4)) {
        a->family = net_record_family(r);
        a->prefix = address_bits(a);
        memcpy(a->byte, nla_data(attr), (size_t)nla_len(attr));
    }
}

void net_record_address(const struct net_record *r, struct address *a)
{
    address_of(r,
               r->type == RTM_NEWROUTE                                     ? RTA_PREFSRC
               : r->type == RTM_NEWADDR && find_attr(r, IFA_LOCAL) != NULL ? IFA_LOCAL
                                                                           : IFA_ADDRESS,
               a);
}

bool net_record_gateway(const struct net_record *r, struct address *gateway)
{
    struct rtnexthop *way;
    struct nlattr *attr;

    if (r->type != RTM_NEWROUTE || r->body[offsetof(struct rtmsg, rtm_dst_len)] != 0) {
        return false;
    }
    address_of(r, RTA_GATEWAY, gateway);
    attr = gateway->family == 0 ? find_attr(r, RTA_MULTIPATH) : NULL;
    if (attr != NULL) { /* the first of several */
        way = nla_data(attr);
        attr = nla_find((struct nlattr *)RTNH_DATA(way), (int)way->rtnh_len - (int)RTNH_LENGTH(0),
                        RTA_GATEWAY);
        if (attr != NULL && nla_len(attr) <= 16) {
            gateway->family = net_record_family(r);
            gateway->prefix = address_bits(gateway);
            memcpy(gateway->byte, nla_data(attr), (size_t)nla_len(attr));
        }
    }
    return gateway->family != 0;
}

static struct nl_msg *message_of(const struct net_record *r, int type, int flags)
{
    return netlink_message(type, flags, r->body, r->size);
}

/* A copy whose lifetimes are `age` seconds shorter. */
static void grow_old(struct net_record *copy, uint32_t age)
{
    struct nlattr *attr = find_attr(copy, copy->type == RTM_NEWADDR ? IFA_CACHEINFO : RTA_EXPIRES);
    uint32_t field[2];
    size_t size = copy->type == RTM_NEWADDR ? sizeof(field) : sizeof(field[0]);

    if (copy->type == RTM_NEWNEIGH || attr == NULL || nla_len(attr) < (int)size) {
        return;
    }
    memcpy(field, nla_data(attr), size); /* preferred and valid come first in IFA_CACHEINFO */
    for (size_t i = 0; i < size / sizeof(field[0]); i++) {
        if (field[i] != UINT32_MAX) {
            field[i] = field[i] > age ? field[i] - age : (i == 1 || size == 4);
        }
    }
    memcpy(nla_data(attr), field, size);
}

static void set_nodad(struct net_record *copy)
{
    struct nlattr *attr = find_attr(copy, IFA_FLAGS);
    uint32_t flags = nla_get_u32(attr) | IFA_F_NODAD;

    memcpy(nla_data(attr), &flags, sizeof(flags));
}

/* Send it; the sentence of a failure tells what it is. */
static int send_named(struct netlink *nl, struct nl_msg *msg, const struct net_record *r,
                      const char *what, struct error *err)
{
    struct error inner = {0};
    int rc = netlink_request(nl, msg, &inner, "%s", what);

    if (rc != 0) {
        auto_link_names names = {NULL, 0};
        auto_str name = NULL;

        link_names_take(nl, &names);
        name = net_record_describe(&names, r);
        fail(err, -rc, "The %s %s", name, inner.msg);
    }
    return rc;
}

static int put_address6(struct netlink *nl, const struct net_record *r, struct error *err)
{
    auto_records copies = {NULL, 0};
    int rc;

    records_add(&copies, r);
    set_nodad(&copies.list[0]);
    rc = send_named(nl, message_of(&copies.list[0], RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL), r,
                    "cannot be added", err);
    if (rc == 0) { /* it is usable: now it gets the flags that it had */
        rc = send_named(nl, message_of(r, RTM_NEWADDR, NLM_F_REPLACE), r, "cannot get its flags",
                        err);
    }
    return rc;
}

int net_record_put(struct netlink *nl, const struct net_record *r, uint32_t age, struct error *err)
{
    auto_records copies = {NULL, 0};
    int flags = NLM_F_CREATE | (r->type == RTM_NEWROUTE  ? NLM_F_APPEND
                                : r->type == RTM_NEWADDR ? NLM_F_EXCL
                                                         : NLM_F_REPLACE);

    records_add(&copies, r);
    grow_old(&copies.list[0], age);
    if (r->type == RTM_NEWADDR && net_record_family(r) == AF_INET6) {
        return put_address6(nl, &copies.list[0], err);
    }
    return send_named(nl, message_of(&copies.list[0], r->type, flags), r, "cannot be added", err);
}

bool net_record_advertised(const struct net_record *r)
{
    return r->type == RTM_NEWROUTE && net_record_family(r) == AF_INET6 &&
           r->body[offsetof(struct rtmsg, rtm_protocol)] == RTPROT_RA &&
           r->body[offsetof(struct rtmsg, rtm_dst_len)] == 0;
}

int net_record_put_meanwhile(struct netlink *nl, const struct net_record *r, struct error *err)
{
    struct nlattr *metric = find_attr(r, RTA_PRIORITY), *attr;
    uint32_t worse = (metric ? nla_get_u32(metric) : 1024) + 1;
    struct rtmsg fixed;
    struct nl_msg *msg;
    int left;

    memcpy(&fixed, r->body, sizeof(fixed));
    fixed.rtm_protocol = RTPROT_BOOT;
    msg = netlink_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &fixed, sizeof(fixed));
    for (attr = first_attr(r, &left); msg != NULL && nla_ok(attr, left);
         attr = nla_next(attr, &left)) {
        if (nla_type(attr) != RTA_PRIORITY && nla_type(attr) != RTA_EXPIRES) {
            nla_put(msg, nla_type(attr), nla_len(attr), nla_data(attr));
        }
    }
    if (msg != NULL) {
        nla_put_u32(msg, RTA_PRIORITY, worse);
        nla_put_u32(msg, RTA_EXPIRES, MEANWHILE_S);
    }
    return send_named(nl, msg, r, "cannot be added for the meantime", err);
}

int net_record_remove(struct netlink *nl, const struct net_record *r, struct error *err)
{
    return send_named(nl, message_of(r, r->type + 1, 0), r, "cannot be removed", err);
}
