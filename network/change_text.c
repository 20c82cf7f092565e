/*
 * Changes as text: for people and for the journal. Contract: change.h.
 */
#include "network/change.h"

#include "network/change_internal.h"
#include "xend/lib/alloc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[CHANGE_KINDS] = {
    [CHANGE_LINK] = "link",       [CHANGE_NAME] = "name",
    [CHANGE_UP] = "up",           [CHANGE_ARP] = "arp",
    [CHANGE_MAC] = "mac",         [CHANGE_MTU] = "mtu",
    [CHANGE_QUEUE] = "queue",     [CHANGE_MASTER] = "master",
    [CHANGE_SETTING] = "setting", [CHANGE_ALIAS] = "note",
    [CHANGE_RECORDS] = "records", [CHANGE_ADDRESSES] = "addresses",
    [CHANGE_ADDRESS] = "address", [CHANGE_FORWARDING] = "forwarding",
    [CHANGE_RULES] = "rules",     [CHANGE_SERVER] = "server",
};

char *change_setting_path(const struct change *c, const char *name)
{
    const char *gap = strstr(c->setting, "%s");

    return gap ? xprintf("%.*s%s%s", (int)(gap - c->setting), c->setting, name, gap + 2)
               : xstrdup(c->setting);
}

static char *describe_records(const struct link_names *names, const char *text)
{
    auto_records rs = {NULL, 0};
    char *line = xstrdup("");

    if (text == NULL || records_read(text, &rs) != 0 || rs.count == 0) {
        str_set(&line, "none");
        return line;
    }
    for (size_t i = 0; i < rs.count; i++) {
        auto_str one = net_record_describe(names, &rs.list[i]);
        char *longer = xprintf("%s%s%s", line, i ? "; " : "", one);

        free(line);
        line = longer;
    }
    return line;
}

static char *describe_link(struct link_names *names, const struct change *c)
{
    const char *spec = c->after ? c->after : c->before ? c->before : "? ?";
    char kind[16] = "", name[IFNAMSIZ] = "", mac[18] = "", peer[IFNAMSIZ] = "";
    int peer_index = 0;

    if (sscanf(spec, "%15s %15s %17s %15s %d", kind, name, mac, peer, &peer_index) == 5) {
        link_names_set(names, peer_index, peer);
    }
    link_names_set(names, c->link, name);
    return xprintf("%s %s%s%s is %s", kind, name, peer[0] ? " and " : "", peer,
                   c->after ? "made" : "deleted");
}

static char *describe_name(struct link_names *names, const struct change *c)
{
    link_names_set(names, c->link, c->after);
    return xprintf("%s is renamed to %s", c->before, c->after);
}

static char *describe_setting(const char *name, const struct change *c)
{
    auto_str path = change_setting_path(c, name);

    return xprintf("net/%s is set to %s (was %s)", path, c->after, c->before);
}

static char *describe_value(const char *name, const struct change *c)
{
    bool was = c->before != NULL && c->before[0] != '\0';

    return xprintf("%s: %s is set to %s%s%s%s", name, kinds[c->kind], c->after, was ? " (was " : "",
                   was ? c->before : "", was ? ")" : "");
}

/* Of what is there or not there, in one word. */
static char *describe_service(const char *name, const struct change *c)
{
    const char *what = c->after ? c->after : c->before ? c->before : "?";

    if (c->kind == CHANGE_ADDRESS) {
        return xprintf("%s %s the address %s", name, c->after ? "gets" : "loses", what);
    }
    if (c->kind == CHANGE_FORWARDING) {
        return xprintf("IP forwarding is %s by %.*s mode", c->after ? "needed" : "no longer needed",
                       (int)strcspn(what, " "), what);
    }
    if (c->kind == CHANGE_RULES) {
        return xprintf("the packet filter's table inet hospes is %s",
                       c->after ? "added" : "deleted");
    }
    return xprintf("dnsmasq is %s on %.*s", c->after ? "started" : "ended", (int)strcspn(what, " "),
                   what);
}

char *change_describe(struct link_names *names, const struct change *c)
{
    auto_str name = xstrdup(c->link ? link_names_get(names, c->link) : "");
    auto_str list = NULL;
    bool yes = c->after != NULL && strtol(c->after, NULL, 10) != 0;

    if (c->kind == CHANGE_LINK) {
        return describe_link(names, c);
    }
    if (c->kind >= CHANGE_ADDRESS) {
        return describe_service(name, c);
    }
    if (c->after == NULL) {
        return xstrdup("(what the way back needs is kept)");
    }
    switch (c->kind) {
    case CHANGE_NAME:
        return describe_name(names, c);
    case CHANGE_UP:
        return xprintf("%s is %s", name, yes ? "brought up" : "taken down");
    case CHANGE_ARP:
        return xprintf("%s: ARP is turned %s", name, yes ? "on" : "off");
    case CHANGE_MASTER:
        return yes ? xprintf("%s is put on %s", name, link_names_get(names, atoi(c->after)))
                   : xprintf("%s is taken from its bridge", name);
    case CHANGE_SETTING:
        return describe_setting(name, c);
    case CHANGE_ADDRESSES:
        list = describe_records(names, c->after);
        return xprintf("addresses of %s: %s", name, list);
    case CHANGE_RECORDS:
        list = describe_records(names, c->after);
        return xprintf("restored: %s", list);
    case CHANGE_ALIAS:
    case CHANGE_MAC:
    case CHANGE_MTU:
    case CHANGE_QUEUE:
    case CHANGE_LINK:
    case CHANGE_ADDRESS:
    case CHANGE_FORWARDING:
    case CHANGE_RULES:
    case CHANGE_SERVER:
    case CHANGE_KINDS:
        break;
    }
    return describe_value(name, c);
}

struct value *change_write(const struct change *c)
{
    struct value *v = value_dict();

    dict_set(v, "kind", value_string(kinds[c->kind]));
    dict_set(v, "link", value_int(c->link));
    if (c->setting != NULL) {
        dict_set(v, "setting", value_string(c->setting));
    }
    if (c->before != NULL) {
        dict_set(v, "before", value_string(c->before));
    }
    if (c->after != NULL) {
        dict_set(v, "after", value_string(c->after));
    }
    return v;
}

int change_read(const struct value *v, struct changes *cs, struct error *err)
{
    const char *name = value_text(dict_get(v, "kind"), "");
    const char *setting = value_text(dict_get(v, "setting"), NULL);
    int kind = 0;
    int64_t link;

    while (kind < CHANGE_KINDS && strcmp(kinds[kind], name) != 0) {
        kind++;
    }
    if (kind == CHANGE_KINDS || value_to_int(dict_get(v, "link"), &link) != 0 || link < 0 ||
        link > INT_MAX || (kind == CHANGE_SETTING) != (setting != NULL)) {
        return fail(err, EINVAL, "A change in the journal can't be read.");
    }
    change_add(cs, (enum change_kind)kind, (int)link, value_text(dict_get(v, "before"), NULL),
               value_text(dict_get(v, "after"), NULL));
    str_set(&cs->list[cs->count - 1].setting, setting);
    return 0;
}
