/*
 * Interfaces through rtnetlink. Contract: link.h.
 */
#include "network/link.h"

#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void read_info(struct link *link, struct nlattr *info)
{
    struct nlattr *attr[IFLA_INFO_MAX + 1], *vlan[IFLA_VLAN_MAX + 1];

    if (info == NULL || nla_parse_nested(attr, IFLA_INFO_MAX, info, NULL) < 0) {
        return;
    }
    if (attr[IFLA_INFO_KIND] != NULL) {
        nla_strlcpy(link->kind, attr[IFLA_INFO_KIND], sizeof(link->kind));
    }
    if (link_is(link, "vlan") && attr[IFLA_INFO_DATA] != NULL &&
        nla_parse_nested(vlan, IFLA_VLAN_MAX, attr[IFLA_INFO_DATA], NULL) == 0 &&
        vlan[IFLA_VLAN_ID] != NULL) {
        link->vlan = nla_get_u16(vlan[IFLA_VLAN_ID]);
    }
}

static unsigned number(const struct nlattr *attr)
{
    return attr != NULL ? nla_get_u32(attr) : 0;
}

static int read_link(const struct nlmsghdr *answer, struct link *link)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)answer;
    struct nlattr *attr[IFLA_MAX + 1];
    struct ifinfomsg fixed;

    memset(link, 0, sizeof(*link));
    if (answer->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse(header, sizeof(fixed), attr, IFLA_MAX, NULL) < 0 || attr[IFLA_IFNAME] == NULL) {
        return -EPROTO;
    }
    memcpy(&fixed, nlmsg_data(header), sizeof(fixed));
    link->index = fixed.ifi_index;
    link->flags = fixed.ifi_flags;
    link->ethernet = fixed.ifi_type == ARPHRD_ETHER;
    link->master = (int)number(attr[IFLA_MASTER]);
    link->lower = (int)number(attr[IFLA_LINK]);
    link->lower_here = link->lower != 0 && attr[IFLA_LINK_NETNSID] == NULL;
    link->mtu = number(attr[IFLA_MTU]);
    link->queue = number(attr[IFLA_TXQLEN]);
    nla_strlcpy(link->name, attr[IFLA_IFNAME], sizeof(link->name));
    if (attr[IFLA_ADDRESS] != NULL && nla_len(attr[IFLA_ADDRESS]) == 6) {
        memcpy(&link->mac, nla_data(attr[IFLA_ADDRESS]), 6);
    }
    if (attr[IFLA_IFALIAS] != NULL) {
        nla_strlcpy(link->alias, attr[IFLA_IFALIAS], sizeof(link->alias));
    }
    read_info(link, attr[IFLA_LINKINFO]);
    return 0;
}

static int take_one(const struct nlmsghdr *answer, void *arg)
{
    return read_link(answer, arg);
}

int link_find(struct netlink *nl, const char *name, struct link *link, struct error *err)
{
    struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC};
    struct nl_msg *msg;

    if (strlen(name) >= IFNAMSIZ) {
        return fail(err, ENODEV, "%s is longer than a name of an interface can be.", name);
    }
    msg = netlink_message(RTM_GETLINK, 0, &fixed, sizeof(fixed));
    if (msg != NULL) {
        nla_put_string(msg, IFLA_IFNAME, name);
    }
    return netlink_query(nl, msg, take_one, link, err, "There is no interface %s", name);
}

int link_get(struct netlink *nl, int index, struct link *link, struct error *err)
{
    struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC, .ifi_index = index};

    return netlink_query(nl, netlink_message(RTM_GETLINK, 0, &fixed, sizeof(fixed)), take_one, link,
                         err, "There is no interface number %d", index);
}

struct listing {
    struct link *links;
    size_t count;
};

static int take_many(const struct nlmsghdr *answer, void *arg)
{
    struct listing *listing = arg;
    struct link link;
    int rc = read_link(answer, &link);

    if (rc == 0) {
        listing->links = xrealloc(listing->links, (listing->count + 1) * sizeof(*listing->links));
        listing->links[listing->count++] = link;
    }
    return rc;
}

int link_list(struct netlink *nl, struct link **list, size_t *count, struct error *err)
{
    struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC};
    struct listing listing = {NULL, 0};
    int rc = -EAGAIN;

    for (int i = 0; rc == -EAGAIN && i < 10; i++) {
        listing.count = 0;
        rc = netlink_query(nl, netlink_message(RTM_GETLINK, NLM_F_DUMP, &fixed, sizeof(fixed)),
                           take_many, &listing, err, "The kernel does not list its interfaces");
    }
    if (rc != 0) {
        free(listing.links);
        return rc;
    }
    *list = listing.links;
    *count = listing.count;
    return 0;
}

bool link_is(const struct link *link, const char *kind)
{
    return strcmp(link->kind, kind) == 0;
}

/* The part of a creation that every kind has. */
static void put_new(struct nl_msg *msg, const struct link_new *new)
{
    nla_put_string(msg, IFLA_IFNAME, new->name);
    if (new->mac != NULL) {
        nla_put(msg, IFLA_ADDRESS, 6, new->mac->byte);
    }
}

static struct nl_msg *start_new(const struct link_new *new, const char *kind, struct nlattr **info)
{
    struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC, .ifi_index = new->index};
    struct nl_msg *msg =
        netlink_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &fixed, sizeof(fixed));

    if (msg != NULL) {
        put_new(msg, new);
        *info = nla_nest_start(msg, IFLA_LINKINFO);
        nla_put_string(msg, IFLA_INFO_KIND, kind);
    }
    return msg;
}

int link_add_bridge(struct netlink *nl, const struct link_new *new, struct error *err)
{
    struct nlattr *info, *data;
    struct nl_msg *msg = start_new(new, "bridge", &info);

    if (msg != NULL) {
        data = nla_nest_start(msg, IFLA_INFO_DATA);
        nla_put_u32(msg, IFLA_BR_STP_STATE, 0);
        nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0);
        nla_nest_end(msg, data);
        nla_nest_end(msg, info);
    }
    return netlink_request(nl, msg, err, "The bridge %s cannot be made", new->name);
}

int link_add_veth(struct netlink *nl, const struct link_new *new, const struct link_new *peer,
                  struct error *err)
{
    struct ifinfomsg fixed = {.ifi_family = AF_UNSPEC, .ifi_index = peer->index};
    struct nlattr *info, *data, *other;
    struct nl_msg *msg = start_new(new, "veth", &info);

    if (msg != NULL) {
        data = nla_nest_start(msg, IFLA_INFO_DATA);
        other = nla_nest_start(msg, VETH_INFO_PEER);
        nlmsg_append(msg, &fixed, sizeof(fixed), NLMSG_ALIGNTO);
        put_new(msg, peer);
        nla_nest_end(msg, other);
        nla_nest_end(msg, data);
        nla_nest_end(msg, info);
    }
    return netlink_request(nl, msg, err, "The pair %s and %s cannot be made", new->name,
                           peer->name);
}

int link_add_vlan(struct netlink *nl, const struct link_new *new, int lower, uint16_t vlan,
                  struct error *err)
{
    struct nlattr *info, *data;
    struct nl_msg *msg = start_new(new, "vlan", &info);

    if (msg != NULL) {
        data = nla_nest_start(msg, IFLA_INFO_DATA);
        nla_put_u16(msg, IFLA_VLAN_ID, vlan);
        nla_nest_end(msg, data);
        nla_nest_end(msg, info);
        nla_put_u32(msg, IFLA_LINK, (uint32_t)lower);
    }
    return netlink_request(nl, msg, err, "The VLAN %s cannot be made", new->name);
}

/* What to call a link in a sentence. */
static const char *call_link(struct netlink *nl, int index, char name[IFNAMSIZ + 16])
{
    struct link link;

    if (link_get(nl, index, &link, NULL) == 0) {
        snprintf(name, IFNAMSIZ + 16, "%s", link.name);
    } else {
        snprintf(name, IFNAMSIZ + 16, "number %d", index);
    }
    return name;
}

/* Send a change; on failure the sentence names the link as it is called now. */
static int change(struct netlink *nl, struct nl_msg *msg, int index, const char *what,
                  struct error *err)
{
    char name[IFNAMSIZ + 16];
    struct error inner = {0};
    int rc = netlink_request(nl, msg, &inner, "%s", what);

    if (rc != 0) {
        fail(err, -rc, "The interface %s cannot be %s", call_link(nl, index, name), inner.msg);
    }
    return rc;
}

static struct nl_msg *start_change(int type, int index, unsigned mask, unsigned flags)
{
    struct ifinfomsg fixed = {
        .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_change = mask, .ifi_flags = flags};

    return netlink_message(type, 0, &fixed, sizeof(fixed));
}

int link_delete(struct netlink *nl, int index, struct error *err)
{
    return change(nl, start_change(RTM_DELLINK, index, 0, 0), index, "deleted", err);
}

int link_rename(struct netlink *nl, int index, const char *name, struct error *err)
{
    struct nl_msg *msg = start_change(RTM_NEWLINK, index, 0, 0);
    char what[IFNAMSIZ + 32];

    snprintf(what, sizeof(what), "renamed to %s", name);
    if (msg != NULL) {
        nla_put_string(msg, IFLA_IFNAME, name);
    }
    return change(nl, msg, index, what, err);
}

int link_set_alias(struct netlink *nl, int index, const char *alias, struct error *err)
{
    struct nl_msg *msg = start_change(RTM_NEWLINK, index, 0, 0);

    if (msg != NULL) {
        nla_put(msg, IFLA_IFALIAS, (int)strlen(alias), alias);
    }
    return change(nl, msg, index, "given its note", err);
}

int link_set_mac(struct netlink *nl, int index, const struct mac *mac, struct error *err)
{
    struct nl_msg *msg = start_change(RTM_NEWLINK, index, 0, 0);
    char what[64], text[18];

    mac_format(mac, text);
    snprintf(what, sizeof(what), "given the MAC %s", text);
    if (msg != NULL) {
        nla_put(msg, IFLA_ADDRESS, 6, mac->byte);
    }
    return change(nl, msg, index, what, err);
}

static int set_number(struct netlink *nl, int index, int attribute, unsigned value,
                      const char *what, struct error *err)
{
    struct nl_msg *msg = start_change(RTM_NEWLINK, index, 0, 0);

    if (msg != NULL) {
        nla_put_u32(msg, attribute, value);
    }
    return change(nl, msg, index, what, err);
}

int link_set_mtu(struct netlink *nl, int index, unsigned mtu, struct error *err)
{
    char what[64];

    snprintf(what, sizeof(what), "given an MTU of %u", mtu);
    return set_number(nl, index, IFLA_MTU, mtu, what, err);
}

int link_set_queue(struct netlink *nl, int index, unsigned packets, struct error *err)
{
    return set_number(nl, index, IFLA_TXQLEN, packets, "given its queue's length", err);
}

int link_set_master(struct netlink *nl, int index, int master, struct error *err)
{
    char name[IFNAMSIZ + 16], what[IFNAMSIZ + 64];

    if (master == 0) {
        snprintf(what, sizeof(what), "taken from its bridge");
    } else {
        snprintf(what, sizeof(what), "put on %s", call_link(nl, master, name));
    }
    return set_number(nl, index, IFLA_MASTER, (unsigned)master, what, err);
}

int link_set_flags(struct netlink *nl, int index, unsigned mask, unsigned flags, struct error *err)
{
    return change(nl, start_change(RTM_NEWLINK, index, mask, flags & mask), index,
                  "given its flags", err);
}

int link_set_up(struct netlink *nl, int index, bool up, struct error *err)
{
    return change(nl, start_change(RTM_NEWLINK, index, IFF_UP, up ? IFF_UP : 0), index,
                  up ? "brought up" : "taken down", err);
}

int link_set_arp(struct netlink *nl, int index, bool arp, struct error *err)
{
    return link_set_flags(nl, index, IFF_NOARP, arp ? 0 : IFF_NOARP, err);
}

bool mac_parse(const char *text, struct mac *mac)
{
    unsigned b[6];
    int end = 0;

    if (strlen(text) != 17 ||
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) !=
            6 ||
        end != 17) {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        mac->byte[i] = (uint8_t)b[i];
    }
    return true;
}

void mac_format(const struct mac *mac, char text[18])
{
    const uint8_t *b = mac->byte;

    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

int link_set_tx_checksum(const char *name, bool offload, struct error *err)
{
    struct ethtool_value value = {.cmd = ETHTOOL_STXCSUM, .data = offload};
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r, saved;

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    request.ifr_data = (char *)&value;
    r = fd < 0 ? -1 : ioctl(fd, SIOCETHTOOL, &request);
    saved = errno;
    if (fd >= 0) {
        close(fd);
    }
    return r < 0 ? fail(err, saved, "The checksums of %s cannot be set: %s.", name, strerror(saved))
                 : 0;
}
