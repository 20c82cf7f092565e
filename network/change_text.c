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
    [CHANGE_LINK] = "link",   [CHANGE_NAME] = "name",       [CHANGE_UP] = "up",
    [CHANGE_ARP] = "arp",     [CHANGE_MAC] = "mac",         [CHANGE_MTU] = "mtu",
    [CHANGE_QUEUE] = "queue", [CHANGE_MASTER] = "master",   [CHANGE_SETTING] = "setting",
    [CHANGE_ALIAS] = "note",  [CHANGE_RECORDS] = "records", [CHANGE_ADDRESSES] = "addresses",
};

char *change_setting_path(const struct change *c, const char *name)
{
    const char *gap = strstr(c->setting, "%s");

    return gap ? xprintf("%.*s%s%s", (int)(gap - c->setting), c->setting, name, gap + 2)
               : xstrdup(c->setting);
}

static char *describe_records(struct netlink *nl, const char *text)
{
    auto_records rs = {NULL, 0};
    char *line = xstrdup("");

    if (text == NULL || records_read(text, &rs) != 0 || rs.count == 0) {
        str_set(&line, "none");
        return line;
    }
    for (size_t i = 0; i < rs.count; i++) {
        auto_str one = net_record_describe(nl, &rs.list[i]);
        char *longer = xprintf("%s%s%s", line, i ? "; " : "", one);

        free(line);
        line = longer;
    }
    return line;
}

static char *describe_link(const char *before, const char *after)
{
    const char *spec = after ? after : before ? before : "? ?";
    char kind[16] = "", name[IFNAMSIZ] = "", mac[18] = "", peer[IFNAMSIZ] = "";

    sscanf(spec, "%15s %15s %17s %15s", kind, name, mac, peer);
    return xprintf("%s %s%s%s is %s", kind, name, peer[0] ? " and " : "", peer,
                   after ? "made" : "deleted");
}

char *change_describe(struct netlink *nl, const struct change *c)
{
    const char *before = c->before ? c->before : "?", *after = c->after ? c->after : "?";
    struct link link, master;
    bool yes = strtol(after, NULL, 10) != 0;

    if (c->kind == CHANGE_LINK) {
        return describe_link(c->before, c->after);
    }
    if (c->link == 0) {
        link.name[0] = '\0';
    } else if (link_get(nl, c->link, &link, NULL) != 0) {
        snprintf(link.name, sizeof(link.name), "(new %d)", c->link);
    }
    switch (c->kind) {
    case CHANGE_NAME:
        return xprintf("%s is renamed to %s", before, after);
    case CHANGE_UP:
        return xprintf("%s is %s", link.name, yes ? "brought up" : "taken down");
    case CHANGE_ARP:
        return xprintf("%s: ARP is turned %s", link.name, yes ? "on" : "off");
    case CHANGE_MASTER:
        if (!yes) {
            return xprintf("%s is taken from its bridge", link.name);
        }
        return link_get(nl, atoi(after), &master, NULL) == 0
                   ? xprintf("%s is put on %s", link.name, master.name)
                   : xprintf("%s is put on the new bridge", link.name);
    case CHANGE_SETTING: {
        auto_str path = change_setting_path(c, link.name);

        return xprintf("net/%s is set to %s (was %s)", path, after, before);
    }
    case CHANGE_ADDRESSES:
    case CHANGE_RECORDS: {
        auto_str list = describe_records(nl, c->after);

        return c->after == NULL ? xstrdup("nothing (only on the way back)")
                                : xprintf("restored: %s", list);
    }
    case CHANGE_ALIAS:
    case CHANGE_MAC:
    case CHANGE_MTU:
    case CHANGE_QUEUE:
    case CHANGE_LINK:
    case CHANGE_KINDS:
        break;
    }
    return xprintf("%s: %s is set to %s (was %s)", link.name, kinds[c->kind], after, before);
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
