/*
 * Changes, made. Contract: change.h. Records: change_records.c. As text: change_text.c.
 */
#include "network/change.h"

#include "network/address.h"
#include "network/change_internal.h"
#include "network/sysctl.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int (*change_service)(enum change_kind kind, const char *want, const char *other,
                      struct error *err);

void change_add_setting(struct changes *cs, int link, const char *setting, const char *before,
                        const char *after)
{
    change_add(cs, CHANGE_SETTING, link, before, after);
    str_set(&cs->list[cs->count - 1].setting, setting);
}

void change_add(struct changes *cs, enum change_kind kind, int link, const char *before,
                const char *after)
{
    struct change *c;

    cs->list = xrealloc(cs->list, (cs->count + 1) * sizeof(*c));
    c = &cs->list[cs->count++];
    memset(c, 0, sizeof(*c));
    c->kind = kind;
    c->link = link;
    c->before = xstrdup(before);
    c->after = xstrdup(after);
}

void changes_free(struct changes *cs)
{
    for (size_t i = 0; i < cs->count; i++) {
        free(cs->list[i].setting);
        free(cs->list[i].before);
        free(cs->list[i].after);
    }
    free(cs->list);
    memset(cs, 0, sizeof(*cs));
}

void change_reverse(struct change *c)
{
    char *before = c->before;

    c->before = c->after;
    c->after = before;
}

/* The words of "veth NAME MAC PEER INDEX MAC" and "bridge NAME MAC". */
struct spec {
    char kind[16], name[IFNAMSIZ], peer[IFNAMSIZ];
    struct mac mac, peer_mac;
    int peer_index;
};

static int read_spec(const char *text, struct spec *spec)
{
    char mac[18] = "", peer_mac[18] = "";
    int n;

    memset(spec, 0, sizeof(*spec));
    n = sscanf(text, "%15s %15s %17s %15s %d %17s", spec->kind, spec->name, mac, spec->peer,
               &spec->peer_index, peer_mac);
    if (n < 3 || !mac_parse(mac, &spec->mac)) {
        return -EINVAL;
    }
    if (strcmp(spec->kind, "bridge") == 0) {
        return n == 3 ? 0 : -EINVAL;
    }
    return n == 6 && strcmp(spec->kind, "veth") == 0 && mac_parse(peer_mac, &spec->peer_mac)
               ? 0
               : -EINVAL;
}

static int make_link(struct netlink *nl, int index, const struct spec *spec, struct error *err)
{
    struct link_new new = {spec->name, index, &spec->mac};
    struct link_new peer = {spec->peer, spec->peer_index, &spec->peer_mac};

    return strcmp(spec->kind, "bridge") == 0 ? link_add_bridge(nl, &new, err)
                                             : link_add_veth(nl, &new, &peer, err);
}

/* `there` is what the link is now, NULL if it does not exist. */
static int do_link(struct netlink *nl, const struct change *c, const struct link *there,
                   const char *want, struct error *err)
{
    const char *made = want ? want : c->after ? c->after : c->before;
    struct spec spec;

    if (made == NULL || read_spec(made, &spec) != 0) {
        return fail(err, EINVAL, "The plan does not say which interface is meant.");
    }
    if (want == NULL) {
        /* Another link may have got the number after ours had gone: its kind tells. */
        return there == NULL || !link_is(there, spec.kind) ? 0 : link_delete(nl, c->link, err);
    }
    if (there != NULL) {
        return link_is(there, spec.kind)
                   ? 0
                   : fail(err, EBUSY,
                          "The number %d of the new interface %s was taken by %s: try "
                          "again.",
                          c->link, spec.name, there->name);
    }
    return make_link(nl, c->link, &spec, err);
}

/* A MAC that is to be kept is set all the same: a VLAN then no longer takes over that of its wire.
 */
static int do_mac(struct netlink *nl, const struct change *c, const struct link *link,
                  const char *want, struct error *err)
{
    struct mac mac;

    if (!mac_parse(want, &mac)) {
        return fail(err, EINVAL, "%s is no MAC.", want);
    }
    return mac_equal(&mac, &link->mac) && !str_eq(c->before, c->after)
               ? 0
               : link_set_mac(nl, link->index, &mac, err);
}

static int do_address(struct netlink *nl, int link, const char *want, const char *other,
                      struct error *err)
{
    struct address a;
    int rc;

    if ((want == NULL && other == NULL) || !address_parse(want ? want : other, &a)) {
        return fail(err, EINVAL, "The plan's address can't be read.");
    }
    /* Detection of duplicates would hold it back until the bridge has a port. */
    rc = want ? address_add(nl, link, &a, a.family == AF_INET6 ? IFA_F_NODAD : 0, err)
              : address_delete(nl, link, &a, err);
    return rc == -EEXIST || rc == -EADDRNOTAVAIL ? 0 : rc;
}

static int do_setting(const struct change *c, const struct link *link, const char *want,
                      struct error *err)
{
    auto_str path = change_setting_path(c, link->name);
    char now[256];
    int rc = sysctl_get(path, now, sizeof(now), err);

    return rc != 0 || strcmp(now, want) == 0 ? rc : sysctl_set(path, want, err);
}

/* What an existing link shall be. */
static int do_property(struct netlink *nl, const struct change *c, const struct link *link,
                       const char *want, struct error *err)
{
    unsigned number = (unsigned)strtoul(want, NULL, 10);
    bool up = (link->flags & IFF_UP) != 0, arp = !(link->flags & IFF_NOARP);

    switch (c->kind) {
    case CHANGE_NAME:
        return strcmp(link->name, want) == 0 ? 0 : link_rename(nl, c->link, want, err);
    case CHANGE_ALIAS:
        return strcmp(link->alias, want) == 0 ? 0 : link_set_alias(nl, c->link, want, err);
    case CHANGE_UP:
        return up == (number != 0) ? 0 : link_set_up(nl, c->link, number != 0, err);
    case CHANGE_ARP:
        return arp == (number != 0) ? 0 : link_set_arp(nl, c->link, number != 0, err);
    case CHANGE_MAC:
        return do_mac(nl, c, link, want, err);
    case CHANGE_MTU:
        return link->mtu == number ? 0 : link_set_mtu(nl, c->link, number, err);
    case CHANGE_QUEUE:
        return link->queue == number ? 0 : link_set_queue(nl, c->link, number, err);
    case CHANGE_MASTER:
        return link->master == (int)number ? 0 : link_set_master(nl, c->link, (int)number, err);
    case CHANGE_SETTING:
        return do_setting(c, link, want, err);
    case CHANGE_LINK:
    case CHANGE_ADDRESSES:
    case CHANGE_RECORDS:
    case CHANGE_ADDRESS:
    case CHANGE_FORWARDING:
    case CHANGE_RULES:
    case CHANGE_SERVER:
    case CHANGE_KINDS:
        break;
    }
    return fail(err, EINVAL, "The plan has a change of an unknown kind.");
}

int change_do(struct netlink *nl, const struct change *c, bool forwards, uint32_t age,
              struct error *err)
{
    const char *want = forwards ? c->after : c->before;
    const char *other = forwards ? c->before : c->after;
    struct link link;
    int rc;

    if (c->kind == CHANGE_SETTING && c->link == 0) {
        link.name[0] = '\0';
        return do_setting(c, &link, want, err);
    }
    if (c->kind == CHANGE_RECORDS) {
        return want ? change_do_records(nl, want, age, err) : 0;
    }
    if (c->kind >= CHANGE_FORWARDING) {
        return change_service != NULL
                   ? change_service(c->kind, want, other, err)
                   : fail(err, EINVAL, "The plan is of another program: run network-nat recover.");
    }
    rc = link_get(nl, c->link, &link, err);
    if (c->kind == CHANGE_LINK && (rc == 0 || rc == -ENODEV)) {
        return do_link(nl, c, rc == 0 ? &link : NULL, want, err);
    }
    if (rc == -ENODEV && !forwards) {
        return 0;
    }
    if (rc == 0 && c->kind == CHANGE_ADDRESS) {
        return do_address(nl, c->link, want, other, err);
    }
    if (rc != 0 || want == NULL) {
        return rc;
    }
    return c->kind == CHANGE_ADDRESSES ? change_do_addresses(nl, want, other, age, err)
                                       : do_property(nl, c, &link, want, err);
}
